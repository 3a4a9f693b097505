//! The node's side of a session: greet, push, pull, prove. Every step is a function of the database:
//! cut anywhere, the next session goes on from what was committed.

mod erase;
mod former;
mod leases;
mod pace;
mod pull;
mod push;
mod report;
mod serve;

use std::sync::Arc;

use anyhow::Context as _;
use console::answer::with_causes;
use domain::change::Hash;
use domain::id::NodeId;
use domain::session::office::{self as rules, Next, Parting};
use domain::session::{Head, Standing};
use prost::bytes::Bytes;
use proto::wire::sync as wire;
use proto::wire::sync::sync_client::SyncClient;
use store::node::Place;
use transport::keys::{NodeIdentity, NodeKeys};
use transport::tls::ClientTls;

pub use serve::{run, run_with};

use crate::app::{App, Own};
use crate::line::Line;
use crate::{clock as hybrid, journal, rewrite};

/// A message's greatest size.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Greetings in one session: each new epoch takes one, and each is offered once.
const GREETINGS_MAX: usize = 16;
/// Places in one question about the hub's history.
const CHECKPOINTS_MAX: usize = 64;

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

/// A line to the first address that answers: those that somebody named, else those of the code.
///
/// # Errors
/// As [`crate::line::Dial::dial`], of the last address.
pub async fn connect_any(app: &App, of_code: &[String], tls: &ClientTls) -> anyhow::Result<Line> {
    let named = &app.hub_addresses;
    let addresses = if named.is_empty() { of_code } else { named };
    let mut last = anyhow::anyhow!("the hub's address is not known 未设置中心地址");
    for address in addresses {
        match app.dial.dial(address, tls).await {
            Ok(line) => return Ok(line),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Calls the hub as an identity that this machine had; changes nothing.
///
/// # Errors
/// The line's, and the hub's refusal as its status.
pub async fn ask_as(app: &App, former: &NodeIdentity, addresses: &[String]) -> anyhow::Result<()> {
    let tls = ClientTls::enrolled(former, clock())?;
    let channel = connect_any(app, addresses, &tls).await?;
    let asked = wire::CheckpointsRequest::default();
    SyncClient::new(channel).checkpoints(asked).await?;
    Ok(())
}

/// A session under way.
#[derive(Debug)]
pub struct Session {
    app: App,
    own: Own,
    client: SyncClient<Line>,
    incarnation: Bytes,
    signing_key: transport::sign::SigningKey,
    hub_key: transport::sign::VerifyingKey,
    feeds: Vec<String>,
    received: u64,
    /// The place up to which this session knows all that moved the office's feed: what it read, and
    /// what its own plainly applied changes moved since; none where that is not known.
    reached: Option<u64>,
    is_copy: bool,
    is_renewed: bool,
    numbers_asked: Option<leases::Asked>,
    /// What is known for erasing what left: by the last page that reached the office's head.
    known: crate::erase::Known,
}

impl Session {
    /// Connects and greets. Where the certificate is renewed on the way, the new one is used at once:
    /// then the hub knows that it arrived.
    ///
    /// # Errors
    /// Not enrolled, unreachable, refused.
    pub async fn open(app: &App) -> anyhow::Result<Self> {
        let mut session = Self::connect(app).await?;
        if let Err(error) = session.greet().await {
            // An expired certificate may still ask for its successor, and for nothing else.
            if !is_expired(&error) {
                return Err(error);
            }
            session
                .renew()
                .await
                .context("the certificate has expired 证书已过期")?;
        }
        if session.is_renewed {
            session = Self::connect(&session.app).await?;
            session.greet().await?;
        }
        Ok(session)
    }

    async fn connect(app: &App) -> anyhow::Result<Self> {
        let app = take_up_epoch(app).await?;
        let keys = app.keys()?;
        keys.enrolled()?;
        let identity = keys.identity.context("not enrolled")?;
        // Else another identity's journal would be sent and signed as this one's.
        anyhow::ensure!(
            identity.node == app.own.node.bytes(),
            "the journal here is not that of this machine's keys: where a join was cut off, run join with the same \
             code again; else put this machine's own backup back \
             本机日志与密钥的身份不一致:如入网中途中断,请用原入网码重新执行 join;否则请恢复本机自己的备份"
        );
        let tls = ClientTls::enrolled(&identity, clock())?;
        let line = connect_any(&app, &identity.hub_addresses, &tls).await?;
        let client = SyncClient::new(line)
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX);
        Ok(Self {
            own: app.own,
            app,
            client,
            incarnation: Bytes::new(),
            signing_key: identity.signing_key,
            hub_key: identity.hub_key,
            feeds: Vec::new(),
            received: 0,
            reached: None,
            is_copy: false,
            is_renewed: false,
            numbers_asked: None,
            known: crate::erase::Known::default(),
        })
    }

    /// Greets the hub until both agree where the journal stands.
    async fn greet(&mut self) -> anyhow::Result<()> {
        let mut presented = None;
        for _ in 0..GREETINGS_MAX {
            let answer = self.say_hello(presented.take()).await?;
            self.incarnation = answer.incarnation.clone();
            self.feeds.clone_from(&answer.feeds);
            self.received = answer.received.as_ref().map_or(0, |head| head.sequence);
            if answer.renew
                && let Err(error) = self.renew().await
            {
                // The present certificate still holds; the next session asks again.
                tracing::warn!(error = %with_causes(error.as_ref()), "the certificate was not renewed");
            }
            match self.after(&answer).await? {
                // The hub judges then what it could not judge before: it may hold another history.
                Next::Report => self.report().await?,
                Next::GoOn => {
                    self.take_up_former_epochs().await?;
                    return self.carry_over().await;
                }
                Next::Present(head) => {
                    presented = Some(wire::Head {
                        sequence: head.sequence,
                        chain: head.chain.to_vec().into(),
                    });
                }
                Next::Epoch(epoch) => self.go_on_in(epoch, answer.clock).await?,
                Next::Stop => {
                    self.is_copy = true;
                    return Ok(());
                }
            }
        }
        anyhow::bail!("the journals do not come together 本机记录与中心对不上,请联系中心")
    }

    /// One greeting: the nonce is stored before it is sent, so that no lost answer locks us out.
    async fn say_hello(
        &mut self,
        presented: Option<wire::Head>,
    ) -> anyhow::Result<wire::HelloResponse> {
        let (own, proposed) = (self.own, system::random_16()?);
        let marks = self.app.marks_path();
        let mut hello = self
            .app
            .write_as_own(move |tx| {
                let kept = tx
                    .setting("nonce_proposed")?
                    .filter(|nonce| !nonce.is_empty());
                let proposed = kept.unwrap_or_else(|| proposed.to_vec());
                tx.set_setting("nonce_proposed", &proposed)?;
                let (sequence, chain) = journal::head(tx, own)?;
                let head = wire::Head {
                    sequence,
                    chain: chain.to_vec().into(),
                };
                Ok(wire::HelloRequest {
                    epoch: own.epoch,
                    head: Some(presented.unwrap_or(head)),
                    confirmed_nonce: tx.setting("nonce_confirmed")?.unwrap_or_default().into(),
                    proposed_nonce: proposed.into(),
                    incarnation: tx.setting("incarnation")?.unwrap_or_default().into(),
                    waiting: tx.pending_count()?,
                    leases: leases::said(tx, own, &marks)?,
                    held: report::signed(tx)?,
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..wire::HelloRequest::default()
                })
            })
            .await?;
        hello.clock = system::now_ms();
        let (proposed, told) = (hello.proposed_nonce.clone(), hello.leases.clone());
        let answer = self.client.hello(hello).await?.into_inner();
        let answered = answer.clone();
        let incarnation = answer.incarnation.clone();
        let feed = self.app.office_feed();
        self.app
            .write_as_own(move |tx| {
                let known = tx.setting("incarnation")?.unwrap_or_default();
                if rules::reads_anew(&known, &incarnation) {
                    report::read_anew(tx, &["city", &feed])?;
                    rewrite::look_again(tx)?;
                    tx.tell_erased_again()?;
                }
                hybrid::note_greeting(tx, answered.offset_ms)?;
                leases::take_in(tx, own, told, &answered)?;
                tx.set_setting("nonce_confirmed", &proposed)?;
                tx.set_setting("nonce_proposed", &[])?;
                Ok(tx.set_setting("incarnation", &incarnation)?)
            })
            .await?;
        Ok(answer)
    }

    /// What follows from an answer to a greeting.
    async fn after(&self, answer: &wire::HelloResponse) -> anyhow::Result<Next> {
        let standing = standing_of(answer)?;
        let mut known = Vec::new();
        for told in [&answer.received, &answer.proven] {
            let there = head_of(told.clone())?;
            known.push((there, self.own_chain(there.sequence).await?));
        }
        Ok(rules::after_greeting(standing, &known))
    }

    /// The chain of the own journal at a place; none where it has no such entry.
    async fn own_chain(&self, sequence: u64) -> anyhow::Result<Option<Hash>> {
        let epoch = self.own.epoch;
        self.app
            .read_as_own(move |tx| Ok(tx.entry(epoch, sequence)?.map(|entry| entry.chain)))
            .await
    }

    /// Goes on in another epoch: this store was rewound or copied. Its own lost changes come back as rows.
    /// What it entered since is written anew before anything is entered in that epoch: the same places are
    /// other changes at the hub, and nothing must stand on them.
    async fn go_on_in(&mut self, epoch: u32, hub_ms: u64) -> anyhow::Result<()> {
        tracing::warn!(
            epoch,
            "this store is older than the hub's journal of it: a new epoch"
        );
        let former = self.own.epoch;
        let read = move |tx: store::Tx<'_>| Ok(tx.journal_places(former)?);
        let places = self.app.read_as_own(read).await?;
        let left = (former, self.common_place(former, places).await?);
        let mut others = self.tails_but(epoch).await?;
        others.retain(|(other, _)| *other != former);
        self.own.epoch = epoch;
        self.app.own.epoch = epoch;
        self.received = 0;
        let own = self.own;
        let count = self
            .app
            .write_as_own(move |tx| rewrite::open_epoch(tx, own, hub_ms, left, &others))
            .await?;
        note_rewritten(count);
        // The journal first: what is entered from now on stands in the new epoch, whatever the key file says.
        keep_epoch(&self.app).await
    }

    /// Writes anew, in the present epoch, what other epochs hold and the hub does not have.
    async fn carry_over(&mut self) -> anyhow::Result<()> {
        let own = self.own;
        let tails = self.tails_but(own.epoch).await?;
        if tails.is_empty() {
            return Ok(());
        }
        let count = self
            .app
            .write_as_own(move |tx| rewrite::rewrite_tails(tx, own, &tails))
            .await?;
        note_rewritten(count);
        Ok(())
    }

    /// The epochs other than this one of which changes are pending, each with the last pending place at
    /// which the hub has the same history.
    async fn tails_but(&mut self, epoch: u32) -> anyhow::Result<Vec<(u32, u64)>> {
        let pending = self
            .app
            .read_as_own(move |tx| {
                let epochs = tx.pending_epochs_but(epoch)?.into_iter();
                let places = epochs.map(|epoch| Ok((epoch, tx.pending_places(epoch)?)));
                places.collect::<anyhow::Result<Vec<_>>>()
            })
            .await?;
        let mut tails = Vec::with_capacity(pending.len());
        for (epoch, places) in pending {
            tails.push((epoch, self.common_place(epoch, places).await?));
        }
        Ok(tails)
    }

    /// The last pending place of another epoch at which the hub has the same history.
    async fn common_place(&mut self, epoch: u32, places: Vec<u64>) -> anyhow::Result<u64> {
        self.common_place_of((self.own.node, epoch), places).await
    }

    /// The same of the journal of any identity that this machine has or had.
    async fn common_place_of(
        &mut self,
        (node, epoch): (NodeId, u32),
        places: Vec<u64>,
    ) -> anyhow::Result<u64> {
        let is_own = node == self.own.node;
        let former_node = if is_own {
            Bytes::new()
        } else {
            Bytes::copy_from_slice(&node.bytes())
        };
        let mut parting = Parting::new(places);
        while let Some(asked) = parting.ask(CHECKPOINTS_MAX) {
            let request = wire::CheckpointsRequest {
                epoch,
                sequences: asked.clone(),
                former_node: former_node.clone(),
            };
            let heads = self.client.checkpoints(request).await?.into_inner().heads;
            let mut theirs = Vec::with_capacity(heads.len());
            for head in heads {
                theirs.push(head_of(Some(head))?);
            }
            let own = self
                .app
                .read_as_own(move |tx| {
                    let mut chains = Vec::new();
                    for sequence in asked {
                        let chain = if is_own {
                            tx.entry(epoch, sequence)?.map(|entry| entry.chain)
                        } else {
                            tx.former_chain(Place {
                                node,
                                epoch,
                                sequence,
                            })?
                        };
                        chains.extend(chain.map(|chain| Head { sequence, chain }));
                    }
                    Ok(chains)
                })
                .await?;
            parting.hear(&own, &theirs);
        }
        Ok(parting.common())
    }

    async fn renew(&mut self) -> anyhow::Result<()> {
        let begin = |keys: &mut NodeKeys| Ok(keys.begin_renewal()?.request_der()?);
        let signing_request = self.app.change_keys(begin).await?.into();
        let answer = self
            .client
            .renew(wire::RenewRequest { signing_request })
            .await?;
        let chain = answer.into_inner().certificate_chain;
        // The file as it is then: the chain is for the key that was asked for, and for no other.
        self.app
            .change_keys(move |keys| Ok(keys.complete_renewal(chain)?))
            .await?;
        self.is_renewed = true;
        Ok(())
    }

    /// Sends what waits and reads what has come; downloads do not wait for uploads.
    ///
    /// # Errors
    /// The line's and the store's own; what was committed stays.
    pub async fn exchange(&mut self) -> anyhow::Result<Summary> {
        let mut done = Summary::default();
        let pushed = loop {
            let epoch = self.own.epoch;
            // Another process may have written under a former epoch until just now.
            self.carry_over().await?;
            let pushed = self.push_all().await;
            self.check_copy()?;
            done.received += self.read_all().await?;
            // A greeting on the way can have opened an epoch, in which nothing is sent yet.
            if self.own.epoch == epoch {
                break pushed?;
            }
        };
        done.sent += pushed.sent;
        done.received += pushed.received;
        // What was just read may have made an organisation an issuer.
        self.ask_for_numbers().await?;
        Ok(done)
    }

    /// A machine that the hub set apart reads nothing.
    fn check_copy(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            !self.is_copy,
            "two machines speak for this office; the hub must name one \
             有两台电脑在使用本社区的身份,请联系中心确认以哪台为准"
        );
        Ok(())
    }
}

impl Session {
    /// Sends what waits; whether that is all there was to do: the hub took it plainly, and nothing
    /// else has moved what this office reads. The proof can wait for a quiet moment.
    ///
    /// # Errors
    /// As [`Self::exchange`].
    pub async fn send(&mut self) -> anyhow::Result<bool> {
        self.carry_over().await?;
        self.push_all().await?;
        self.ask_for_numbers().await?;
        let waits = |tx: store::Tx<'_>| Ok(tx.pending_count()?);
        let waiting = self.app.read_as_own(waits).await?;
        Ok(self.reached.is_some() && waiting == 0)
    }
}

/// The same node in the epoch into which its journal was moved: the key file may not say so yet.
async fn take_up_epoch(app: &App) -> anyhow::Result<App> {
    let (mut app, own) = (app.clone(), app.own);
    let read = move |tx: store::Tx<'_>| Ok(own.in_store(tx)?);
    app.own = app.store.read::<_, anyhow::Error>(read).await?;
    keep_epoch(&app).await?;
    Ok(app)
}

/// Writes the present epoch into the key file, if that has an older one.
async fn keep_epoch(app: &App) -> anyhow::Result<()> {
    let own = app.own;
    let is_older = move |identity: &NodeIdentity| {
        identity.node == own.node.bytes() && identity.epoch < own.epoch
    };
    if !app.keys()?.identity.as_ref().is_some_and(is_older) {
        return Ok(());
    }
    app.change_keys(move |keys| {
        if let Some(identity) = &mut keys.identity
            && is_older(identity)
        {
            identity.epoch = own.epoch;
        }
        Ok(())
    })
    .await
}

fn note_rewritten(count: u64) {
    if count > 0 {
        tracing::warn!(count, "changes were written anew in the present epoch");
    }
}

/// What the hub found, as it stands in an answer.
fn standing_of(answer: &wire::HelloResponse) -> anyhow::Result<Standing> {
    Ok(match answer.standing() {
        wire::Standing::Agreed => Standing::Agreed,
        wire::Standing::Rewound => Standing::Rewound(answer.offered_epoch),
        wire::Standing::Forked => Standing::Forked(answer.offered_epoch),
        wire::Standing::Cloned => Standing::Cloned,
        wire::Standing::HubRecovering => Standing::HubRestored,
        wire::Standing::Unspecified => anyhow::bail!("an answer that is not understood"),
    })
}

/// A place of a journal as it travels; a missing one is before the first change.
fn head_of(head: Option<wire::Head>) -> anyhow::Result<Head> {
    Ok(match head {
        Some(head) => Head {
            sequence: head.sequence,
            chain: proto::convert::thirty_two(&head.chain, "head.chain")?,
        },
        None => Head {
            sequence: 0,
            chain: Hash::default(),
        },
    })
}

fn is_expired(error: &anyhow::Error) -> bool {
    let status = error.downcast_ref::<tonic::Status>();
    status.is_some_and(|status| proto::status::retry(status) == proto::status::Retry::Renew)
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
