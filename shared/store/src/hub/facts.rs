//! The facts that a decision lacks, read for it.

use domain::id::{ChangeId, NodeId, RecordId};
use domain::kinds::{conflict, member, organisation, person, step, tenure};
use domain::limits::{BATCH_MEMBERS_MAX, BATCH_ORGANISATIONS_MAX};
use domain::record::{Record, RecordKey};
use domain::world::{Fact, Membership, Need, Outcome, Waiting};
use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::records::{Filter, Tx};

/// Items or steps about one record that are read at once; more than any record has.
const ABOUT_MAX: usize = 10_000;
/// The records that name one by kind and field, with what they name.
type Naming = ((u16, u16, RecordId), Vec<Record>);

impl Tx<'_> {
    /// Reads a fact.
    pub fn fact(&self, need: Need) -> Result<Fact, StoreError> {
        match need {
            Need::Record(key) => Ok(match self.record(key)? {
                None if self.is_purged(key.id)? => Fact::Purged(key),
                found => Fact::Record(key, found),
            }),
            Need::Outcome(change, field) => {
                Ok(Fact::Outcome(change, field, self.outcome(change, field)?))
            }
            Need::OpenItems(subject) => {
                let filters = [
                    Filter::Is(conflict::SUBJECT, subject.bytes().to_vec()),
                    Filter::Is(conflict::STATE, b"open".to_vec()),
                ];
                let items = self.list(&conflict::KIND, &filters, None, ABOUT_MAX)?;
                Ok(Fact::OpenItems(subject, items))
            }
            Need::StepsOf(subject) => {
                let filters = [Filter::Is(step::SUBJECT, subject.bytes().to_vec())];
                let steps = self.list(&step::KIND, &filters, None, ABOUT_MAX)?;
                Ok(Fact::StepsOf(subject, steps))
            }
            Need::Block(issuer, number) => {
                Ok(Fact::Block(issuer, number, self.lease_at(issuer, number)?))
            }
            Need::Membership(id) => Ok(Fact::Membership(id, self.membership(id)?)),
            Need::Naming(kind, field, id) => {
                let records = match domain::kinds::by_number(kind) {
                    Some(kind) => {
                        let names = [Filter::Is(field, id.bytes().to_vec())];
                        self.list(kind, &names, None, ABOUT_MAX)?
                    }
                    None => Vec::new(),
                };
                Ok(Fact::Naming(kind, field, id, records))
            }
        }
    }

    /// An organisation, those below it that work through the same office, and what a move of their
    /// members reads; one more than may move at once tells that there are too many.
    fn membership(&self, id: RecordId) -> Result<Membership, StoreError> {
        let mut found = Membership::default();
        let key = RecordKey {
            kind: organisation::KIND_NUMBER,
            id,
        };
        found.organisations.extend(self.record(key)?);
        let mut at = 0;
        while let Some(above) = found.organisations.get(at) {
            at += 1;
            // What stands below an office of its own moves with that office and is not touched.
            if above.text(organisation::IS_OFFICE) == Some("1") {
                continue;
            }
            let above = above.key.id.bytes().to_vec();
            let rest = (BATCH_ORGANISATIONS_MAX + 1).saturating_sub(found.organisations.len());
            let below = [Filter::Is(organisation::PARENT, above.clone())];
            let below = self.list(&organisation::KIND, &below, None, rest)?;
            found.organisations.extend(below);
            let rest = (BATCH_MEMBERS_MAX + 1).saturating_sub(found.members.len());
            let of_branch = [Filter::Is(member::BRANCH, above), Filter::Alive];
            let members = self.list(&member::KIND, &of_branch, None, rest)?;
            found.members.extend(members);
        }
        for record in &found.members {
            let about = |kind, field| {
                let filters = [Filter::Is(field, record.key.id.bytes().to_vec())];
                self.list(kind, &filters, None, ABOUT_MAX)
            };
            let person = record.reference(member::PERSON).map(|id| RecordKey {
                kind: person::KIND_NUMBER,
                id,
            });
            if let Some(person) = person {
                found.of_members.extend(self.record(person)?);
            }
            found
                .of_members
                .extend(about(&tenure::KIND, tenure::MEMBER)?);
            let items = about(&conflict::KIND, conflict::SUBJECT)?;
            let is_open = |item: &&Record| item.text(conflict::STATE) == Some("open");
            found.items.extend(items.iter().filter(is_open).cloned());
            let id = record.key.id;
            let naming = ((conflict::KIND_NUMBER, conflict::SUBJECT, id), items);
            found.naming.push(naming);
            if let Some(person) = person {
                found.naming.extend(self.naming_person(person.id)?);
            }
        }
        Ok(found)
    }

    /// What names a person: his roles, those merged into him, conflict items about him.
    fn naming_person(&self, id: RecordId) -> Result<Vec<Naming>, StoreError> {
        let merged = (&person::KIND, person::MERGED_INTO);
        let items = (&conflict::KIND, conflict::SUBJECT);
        let mut all = Vec::new();
        for (kind, field) in domain::decide::roles().chain([merged, items]) {
            let filter = [Filter::Is(field, id.bytes().to_vec())];
            let naming = self.list(kind, &filter, None, ABOUT_MAX)?;
            all.push(((kind.number, field, id), naming));
        }
        Ok(all)
    }

    /// What became of a change's field, if it was not plainly applied.
    pub fn outcome(&self, change: ChangeId, field: u16) -> Result<Option<Outcome>, StoreError> {
        let row: Option<(u8, Vec<u8>)> = self
            .connection
            .prepare_cached(
                "SELECT state, target FROM outcome
                 WHERE node = ?1 AND epoch = ?2 AND sequence = ?3 AND field = ?4",
            )?
            .query_row(
                params![
                    change.node.bytes(),
                    change.epoch,
                    change.sequence.cast_signed(),
                    field
                ],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        row.map(|(state, target)| read_outcome(state, &target))
            .transpose()
    }

    /// The changes that wait for a record, in the order in which they are decided.
    pub fn waiting_for(&self, key: RecordKey) -> Result<Vec<Waiting>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT for_kind, for_id, node, epoch, sequence, set_aside FROM waiting
             WHERE for_kind = ?1 AND for_id = ?2 ORDER BY node, epoch, sequence",
        )?;
        let rows = statement.query_map(params![key.kind, key.id.bytes()], read_waiting)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every change that waits.
    pub fn all_waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT for_kind, for_id, node, epoch, sequence, set_aside FROM waiting
             ORDER BY node, epoch, sequence",
        )?;
        let rows = statement.query_map([], read_waiting)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read_waiting(row: &rusqlite::Row<'_>) -> rusqlite::Result<Waiting> {
    Ok(Waiting {
        for_record: RecordKey {
            kind: row.get(0)?,
            id: RecordId::new(row.get(1)?),
        },
        change: ChangeId {
            node: NodeId::new(row.get(2)?),
            epoch: row.get(3)?,
            sequence: row.get::<_, i64>(4)?.cast_unsigned(),
        },
        set_aside: RecordId::new(row.get(5)?),
    })
}

fn read_outcome(state: u8, target: &[u8]) -> Result<Outcome, StoreError> {
    const BROKEN: StoreError = StoreError::Unreadable("outcome");
    let record = || RecordId::from_slice(target).map_err(|_| BROKEN);
    match state {
        1 => domain::decide::change_of_bytes(target)
            .map(Outcome::Merged)
            .ok_or(BROKEN),
        2 => Ok(Outcome::Lost(record()?)),
        3 => Ok(Outcome::SetAside(record()?)),
        4 => Ok(Outcome::Waiting(record()?)),
        _ => Err(BROKEN),
    }
}

impl Tx<'_> {
    /// The records of a kind that claim the same natural key, group by group.
    pub fn same_claims(&self, kind: u16) -> Result<Vec<Vec<RecordId>>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT hash, record FROM claim
             WHERE kind = ?1 AND hash IN
                 (SELECT hash FROM claim WHERE kind = ?1 GROUP BY hash HAVING count(*) > 1)
             ORDER BY hash, record",
        )?;
        let rows = statement.query_map([kind], |row| {
            Ok((row.get::<_, [u8; 32]>(0)?, RecordId::new(row.get(1)?)))
        })?;
        let mut groups: Vec<Vec<RecordId>> = Vec::new();
        let mut last = None;
        for row in rows {
            let (hash, record) = row?;
            match groups.last_mut() {
                Some(group) if last == Some(hash) => group.push(record),
                _ => groups.push(vec![record]),
            }
            last = Some(hash);
        }
        Ok(groups)
    }

    /// Keeps the keyed hash of a record's natural key, or that it has none.
    pub fn put_claim(&self, key: RecordKey, hash: Option<[u8; 32]>) -> Result<(), StoreError> {
        self.connection
            .prepare_cached("DELETE FROM claim WHERE record = ?1 AND hash IS NOT ?2")?
            .execute(params![key.id.bytes(), hash])?;
        if let Some(hash) = hash {
            self.connection
                .prepare_cached(
                    "INSERT INTO claim (kind, hash, record) VALUES (?1, ?2, ?3)
                     ON CONFLICT DO NOTHING",
                )?
                .execute(params![key.kind, hash, key.id.bytes()])?;
        }
        Ok(())
    }
}
