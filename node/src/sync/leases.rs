//! Blocks of letter numbers in a greeting: what this machine holds goes up, what the hub leases comes
//! down (`sync.md` 4).

use std::path::Path;
use std::time::Duration;

use domain::checks::date::china_date_of;
use domain::id::RecordId;
use domain::lease::{Block, years_needed};
use domain::limits;
use proto::convert;
use proto::wire::sync as wire;
use store::Tx;
use store::node::Leased;
use tokio::time::Instant;

use super::Session;
use crate::app::Own;
use crate::letters;

/// In a session the hub is asked for the same numbers at most so often.
const ASK_AGAIN: Duration = Duration::from_mins(1);

/// The blocks that a greeting names: those of the present epoch, and those of a former identity that
/// the hub has not taken back yet.
pub(super) fn said(tx: Tx<'_>, own: Own, marks: &Path) -> anyhow::Result<Vec<wire::Lease>> {
    let mut blocks = letters::held(tx, own, marks)?;
    let is_former = |leased: &Leased| (leased.node, leased.epoch) != (own.node, own.epoch);
    let former = tx.leases_held()?.into_iter().filter(is_former);
    blocks.extend(former.map(|leased| leased.block));
    // The newest, should there ever be more than a greeting takes.
    let surplus = blocks.len().saturating_sub(limits::LEASES_MAX);
    Ok(blocks
        .iter()
        .skip(surplus)
        .map(convert::encode_lease)
        .collect())
}

/// Takes the answer: keeps what is granted, lets go of what was told and is not.
pub(super) fn take_in(
    tx: Tx<'_>,
    own: Own,
    told: Vec<wire::Lease>,
    answer: &wire::HelloResponse,
) -> anyhow::Result<()> {
    if answer.standing() != wire::Standing::Agreed {
        return Ok(());
    }
    let granted = convert::decode_leases(answer.leases.clone())?;
    for block in &granted {
        tx.keep_lease(&Leased {
            block: *block,
            node: own.node,
            epoch: own.epoch,
        })?;
    }
    let key = |block: &Block| (block.issuer, block.year, block.first);
    for told in convert::decode_leases(told)? {
        if granted.iter().all(|block| key(block) != key(&told)) {
            tx.drop_lease(&told)?;
        }
    }
    Ok(())
}

/// What a session has asked for: when, and of which issuers and years few numbers were left.
pub(super) type Asked = (Instant, Vec<(RecordId, u16)>);

impl Session {
    /// Greets again where few numbers are left, the year is another, or an organisation of the office has
    /// become an issuer; not for the same again within a minute, should the hub not lease.
    pub(super) async fn ask_for_numbers(&mut self) -> anyhow::Result<()> {
        let (own, marks) = (self.own, self.app.marks_path());
        let low = self
            .app
            .read_as_own(move |tx| {
                let years = years_needed(china_date_of(system::now_ms().cast_signed()));
                let mut low = Vec::new();
                for (issuer, year, left) in letters::left(tx, own, &marks)? {
                    if years.contains(&year) && left < limits::LETTER_BLOCK_LOW {
                        low.push((issuer.key.id, year));
                    }
                }
                Ok(low)
            })
            .await?;
        let is_asked = self
            .numbers_asked
            .as_ref()
            .is_some_and(|(at, asked)| *asked == low && at.elapsed() < ASK_AGAIN);
        if !low.is_empty() && !is_asked {
            self.numbers_asked = Some((Instant::now(), low));
            self.greet().await?;
        }
        Ok(())
    }
}
