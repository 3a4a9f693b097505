//! The node's side of a session: greet, push, pull, prove. Every step is a function of the database:
//! cut anywhere, the next session goes on from what was committed.

mod pull;
mod push;
mod serve;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use hyper_util::rt::TokioIo;
use prost::bytes::Bytes;
use proto::wire::sync as wire;
use proto::wire::sync::sync_client::SyncClient;
use tonic::transport::{Channel, Endpoint, Uri};
use tower::service_fn;
use transport::tls::ClientTls;

pub use serve::run;

use crate::app::{App, Own};
use crate::{journal, system};

/// How long a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// How long a call may take on a slow line.
const CALL_WITHIN: Duration = Duration::from_mins(2);
/// A message's greatest size.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// What a session did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Own changes sent.
    pub sent: u64,
    /// Rows received.
    pub received: u64,
}

/// The clock that certificates are checked with.
pub fn clock() -> transport::tls::Clock {
    Arc::new(|| system::now_ms().cast_signed())
}

/// A channel to the hub.
///
/// # Errors
/// What a person can act on: unreachable, not the hub of the code, refused.
pub async fn connect(address: &str, tls: &ClientTls) -> anyhow::Result<Channel> {
    let (config, address) = (Arc::clone(tls.config()), address.to_owned());
    let connector = service_fn(move |_: Uri| {
        let (config, address) = (Arc::clone(&config), address.clone());
        async move {
            let stream = transport::tls::connect(&address, &config, CONNECT_WITHIN).await?;
            Ok::<_, transport::TransportError>(TokioIo::new(stream))
        }
    });
    let endpoint = Endpoint::from_static("http://hub.lianxin.internal")
        .timeout(CALL_WITHIN)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    Ok(endpoint.connect_with_connector(connector).await?)
}

/// A session under way.
#[derive(Debug)]
pub struct Session {
    app: App,
    own: Own,
    client: SyncClient<Channel>,
    incarnation: Bytes,
    signing_key: transport::sign::SigningKey,
    hub_key: transport::sign::VerifyingKey,
    feeds: Vec<String>,
    received: u64,
}

impl Session {
    /// Connects and greets.
    ///
    /// # Errors
    /// Not enrolled, unreachable, refused.
    pub async fn open(app: &App) -> anyhow::Result<Self> {
        let keys = app.keys()?;
        keys.enrolled()?;
        let identity = keys.identity.context("not enrolled")?;
        let tls = ClientTls::enrolled(&identity, clock())?;
        let override_address = std::env::var("LIANXIN_HUB").ok();
        let address = override_address.as_ref().or(identity.hub_addresses.first());
        let channel = connect(address.context("the hub's address is not known")?, &tls).await?;
        let client = SyncClient::new(channel)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        let mut session = Self {
            app: app.clone(),
            own: app.own,
            client,
            incarnation: Bytes::new(),
            signing_key: identity.signing_key,
            hub_key: identity.hub_key,
            feeds: Vec::new(),
            received: 0,
        };
        session.greet().await?;
        Ok(session)
    }

    /// Greets the hub: the nonce is stored before it is sent, so that no lost answer locks us out.
    async fn greet(&mut self) -> anyhow::Result<()> {
        let (own, proposed) = (self.own, system::random_16()?);
        let mut hello = self
            .app
            .store
            .write::<_, anyhow::Error>(move |tx| {
                let kept = tx
                    .setting("nonce_proposed")?
                    .filter(|nonce| !nonce.is_empty());
                let proposed = kept.unwrap_or_else(|| proposed.to_vec());
                tx.set_setting("nonce_proposed", &proposed)?;
                let (sequence, chain) = journal::head(tx, own)?;
                let waiting = tx.pending_count()?;
                Ok(wire::HelloRequest {
                    epoch: own.epoch,
                    head: Some(wire::Head {
                        sequence,
                        chain: chain.to_vec().into(),
                    }),
                    confirmed_nonce: tx.setting("nonce_confirmed")?.unwrap_or_default().into(),
                    proposed_nonce: proposed.into(),
                    incarnation: tx.setting("incarnation")?.unwrap_or_default().into(),
                    waiting,
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..wire::HelloRequest::default()
                })
            })
            .await?;
        hello.clock = system::now_ms();
        let proposed = hello.proposed_nonce.clone();
        let answer = self.client.hello(hello).await?.into_inner();
        let incarnation = answer.incarnation.clone();
        let standing = answer.standing();
        self.app
            .store
            .write::<_, anyhow::Error>(move |tx| {
                tx.set_setting("nonce_confirmed", &proposed)?;
                tx.set_setting("nonce_proposed", &[])?;
                Ok(tx.set_setting("incarnation", &incarnation)?)
            })
            .await?;
        self.incarnation = answer.incarnation;
        self.feeds = answer.feeds;
        self.received = answer.received.map_or(0, |head| head.sequence);
        if answer.renew {
            self.renew().await?;
        }
        match standing {
            wire::Standing::Agreed | wire::Standing::HubRecovering => Ok(()),
            wire::Standing::Rewound => self.go_on_in(answer.offered_epoch).await,
            wire::Standing::Cloned => anyhow::bail!(
                "another machine speaks for this office 另一台电脑正在使用本社区的身份,请联系中心"
            ),
            wire::Standing::Forked | wire::Standing::Unspecified => anyhow::bail!(
                "this node's journal differs from the hub's 本机记录与中心不一致,请联系中心"
            ),
        }
    }

    /// Goes on in another epoch: this store was rewound, and its own lost changes come back as rows.
    async fn go_on_in(&mut self, epoch: u32) -> anyhow::Result<()> {
        let mut keys = self.app.keys()?;
        let identity = keys.identity.as_mut().context("enrolled")?;
        identity.epoch = epoch;
        keys.save(&self.app.keys_path())?;
        self.own.epoch = epoch;
        self.app.own.epoch = epoch;
        self.received = 0;
        self.app
            .store
            .write::<_, anyhow::Error>(|tx| Ok(tx.set_setting("nonce_confirmed", &[])?))
            .await
    }

    async fn renew(&mut self) -> anyhow::Result<()> {
        let mut keys = self.app.keys()?;
        let signing_request = keys.begin_renewal()?.request_der()?.into();
        keys.save(&self.app.keys_path())?;
        let answer = self
            .client
            .renew(wire::RenewRequest { signing_request })
            .await?;
        keys.complete_renewal(answer.into_inner().certificate_chain)?;
        keys.save(&self.app.keys_path())?;
        Ok(())
    }

    /// Sends what waits and reads what has come; downloads do not wait for uploads.
    ///
    /// # Errors
    /// The line's and the store's own; what was committed stays.
    pub async fn exchange(&mut self) -> anyhow::Result<Summary> {
        let pushed = self.push_all().await;
        let received = self.pull_all().await?;
        Ok(Summary {
            sent: pushed?,
            received,
        })
    }
}

/// One whole session.
///
/// # Errors
/// As [`Session::open`] and [`Session::exchange`].
pub async fn once(app: &App) -> anyhow::Result<Summary> {
    let mut session = Session::open(app).await?;
    let summary = session.exchange().await?;
    note_success(app).await?;
    Ok(summary)
}

async fn note_success(app: &App) -> anyhow::Result<()> {
    let now = system::now_ms();
    app.store
        .write::<_, anyhow::Error>(
            move |tx| Ok(tx.set_setting("last_success", &now.to_be_bytes())?),
        )
        .await
}
