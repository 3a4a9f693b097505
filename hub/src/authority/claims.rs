//! Who claims which natural key: a keyed hash of each person's ID number, so that duplicates are found
//! without it; and the alarm on the rate of collisions (`sync.md` 6).
//!
//! An office is told of a duplicate only where it can see both records, so that nobody learns whom
//! others know by entering numbers. Who enters many numbers of people outside its scope all the same
//! is shown to the desk.

use domain::decide;
use domain::id::{NodeId, OfficeId};
use domain::kinds::person;
use domain::limits::{CLAIM_COLLISIONS_MAX, CLAIM_WINDOW_MS};
use domain::record::Record;
use domain::world::Writes;
use transport::keys::HubIdentity;

use super::{Round, feed_name};
use crate::error::HubError;

/// A machine that has claimed too much, to be shown to the desk.
#[derive(Debug, Clone, Copy)]
struct Alarm {
    node: NodeId,
    office: OfficeId,
    count: u64,
}

/// What a person's record claims: the keyed hash of the ID number, while it lives.
pub(crate) fn claim_of(identity: &HubIdentity, record: &Record) -> Option<[u8; 32]> {
    let number = record.text(person::ID_NUMBER);
    let number = number.filter(|_| record.is_alive());
    number.map(|number| identity.claim_hash(number.as_bytes()))
}

impl Round<'_> {
    /// Keeps the claims of the persons written; what the desk must hear of them is decided.
    pub(super) fn write_claims(&self, writes: &Writes) -> Result<Option<Writes>, HubError> {
        let mut alarms = Vec::new();
        for (record, _) in writes.records.values() {
            if record.key.kind != person::KIND_NUMBER {
                continue;
            }
            let hash = claim_of(&self.app.identity, record);
            let is_new = self.tx.put_claim(record.key, hash)?;
            if let Some(hash) = hash.filter(|_| is_new) {
                alarms.extend(self.count_collision(record, &hash)?);
            }
        }
        if alarms.is_empty() {
            return Ok(None);
        }
        let mut world = self.new_world(0)?;
        for alarm in alarms {
            decide::raise_claim_alarm(
                &mut world,
                (alarm.node, alarm.office),
                alarm.count,
                self.now_ms,
            );
        }
        Ok(Some(world.into_writes()))
    }

    /// Counts a new claim that another record has already which the claimant's office does not see; an
    /// alarm where the machine thereby passes the limit, once in each window. What the hub itself
    /// made, as at an acceptance, is nobody's claim.
    fn count_collision(&self, record: &Record, hash: &[u8; 32]) -> Result<Option<Alarm>, HubError> {
        let others = self.tx.claimants(record.key, hash)?;
        let claimed = record.version(person::ID_NUMBER);
        let Some(change) = claimed.filter(|_| !others.is_empty()) else {
            return Ok(None);
        };
        let Some(node) = self.tx.node(change.node)? else {
            return Ok(None);
        };
        let feed = feed_name(node.office);
        let mut is_outside = false;
        for other in others {
            is_outside |= !self.tx.is_in_feed(other, &feed)?;
        }
        if !is_outside {
            return Ok(None);
        }
        let since = self.now_ms.saturating_sub(CLAIM_WINDOW_MS);
        let counted = self
            .tx
            .note_collision(node.id, record.key.id, self.now_ms, since)?;
        if counted.count <= CLAIM_COLLISIONS_MAX || counted.has_alarm {
            return Ok(None);
        }
        self.tx.note_alarm(node.id, record.key.id, self.now_ms)?;
        Ok(Some(Alarm {
            node: node.id,
            office: node.office,
            count: counted.count,
        }))
    }
}
