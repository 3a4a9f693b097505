//! The facts that a decision lacks, read for it.

use domain::decide::NAMING_CASES;
use domain::id::{ChangeId, NodeId, RecordId};
use domain::kind::Kind;
use domain::kinds::{conflict, member, organisation, person, step, tenure, transfer as case};
use domain::limits::{BATCH_MEMBERS_MAX, BATCH_ORGANISATIONS_MAX};
use domain::machines::transfer;
use domain::record::{Record, RecordKey};
use domain::world::{Fact, Membership, Need, Outcome, Waiting};
use rusqlite::{OptionalExtension as _, params};

use crate::error::StoreError;
use crate::records::{Filter, Tx};
use crate::sound::as_written;

/// Items or steps about one record that are read at once; more than any record has.
const ABOUT_MAX: usize = 10_000;
/// The records that name one by kind and field, with what they name.
type Naming = ((u16, u16, RecordId), Vec<Record>);

impl Tx<'_> {
    /// Reads a fact.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a row of it is not as it was written; as SQLite says.
    pub fn fact(&self, need: Need) -> Result<Fact, StoreError> {
        match need {
            Need::Record(key) => match self.record_as_written(key) {
                Ok(Some(record)) if record.is_alive() => Ok(Fact::Record(key, Some(record))),
                // Its values may still be here: what is said to go is not brought back.
                _ if self.is_purged(key.id)? => Ok(Fact::Purged(key)),
                found => Ok(Fact::Record(key, found?)),
            },
            Need::Outcome(change, field) => {
                Ok(Fact::Outcome(change, field, self.outcome(change, field)?))
            }
            Need::OpenItems(subject) => {
                let filters = [
                    Filter::Is(conflict::SUBJECT, subject.bytes().to_vec()),
                    Filter::Is(conflict::STATE, b"open".to_vec()),
                ];
                let items = self.sound(&conflict::KIND, &filters, ABOUT_MAX)?;
                Ok(Fact::OpenItems(subject, items))
            }
            Need::StepsOf(subject) => {
                let filters = [Filter::Is(step::SUBJECT, subject.bytes().to_vec())];
                let steps = self.sound(&step::KIND, &filters, ABOUT_MAX)?;
                Ok(Fact::StepsOf(subject, steps))
            }
            Need::Block(issuer, number) => {
                Ok(Fact::Block(issuer, number, self.lease_at(issuer, number)?))
            }
            Need::Standing(id) => Ok(Fact::Standing(id, self.standing(id)?)),
            Need::Membership(id) => Ok(Fact::Membership(id, self.membership(id)?)),
            Need::Naming(kind, field, id) => {
                let records = match domain::kinds::by_number(kind) {
                    Some(kind) => {
                        let names = [Filter::Is(field, id.bytes().to_vec())];
                        self.sound(kind, &names, ABOUT_MAX)?
                    }
                    None => Vec::new(),
                };
                Ok(Fact::Naming(kind, field, id, records))
            }
        }
    }

    /// Records on which something is decided.
    fn sound(
        &self,
        kind: &'static Kind,
        filters: &[Filter],
        count_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.list_by(kind, filters, (None, count_max), as_written)
    }

    /// The open cases that name an organisation, and the members whom it has, each by an index that is
    /// there for other questions: of cases the open ones of the city are looked through, a member's
    /// group lies in his branch, and who holds whom the open tenures say.
    fn standing(&self, id: RecordId) -> Result<Vec<Record>, StoreError> {
        let key = |kind, id| RecordKey { kind, id };
        let bytes = id.bytes().to_vec();
        let open = transfer::MACHINE.states.iter().filter(|state| state.open);
        let open: Vec<_> = open.map(|state| state.code.as_bytes().to_vec()).collect();
        let mut found = Vec::new();
        for field in NAMING_CASES {
            let cases = [
                Filter::Is(field, bytes.clone()),
                Filter::OneOf(case::STATE, open.clone()),
            ];
            found.extend(self.sound(&case::KIND, &cases, ABOUT_MAX)?);
        }
        let in_branch = [Filter::Is(member::BRANCH, bytes.clone())];
        found.extend(self.sound(&member::KIND, &in_branch, ABOUT_MAX)?);
        let organisation = self.record_as_written(key(organisation::KIND_NUMBER, id))?;
        let branch = organisation.and_then(|found| found.reference(organisation::PARENT));
        if let Some(branch) = branch {
            let in_branch = [Filter::Is(member::BRANCH, branch.bytes().to_vec())];
            let members = self.sound(&member::KIND, &in_branch, ABOUT_MAX)?;
            let in_group = |record: &Record| record.reference(member::GROUP) == Some(id);
            found.extend(members.into_iter().filter(in_group));
        }
        let held = [
            Filter::Is(tenure::HOLDER, bytes),
            Filter::Is(tenure::CLOSED, Vec::new()),
        ];
        for open in self.sound(&tenure::KIND, &held, ABOUT_MAX)? {
            if let Some(member) = open.reference(tenure::MEMBER) {
                found.extend(self.record_as_written(key(member::KIND_NUMBER, member))?);
            }
        }
        Ok(found)
    }

    /// An organisation, those below it that work through the same office, and what a move of their
    /// members reads; one more than may move at once tells that there are too many.
    fn membership(&self, id: RecordId) -> Result<Membership, StoreError> {
        let mut found = Membership::default();
        let key = RecordKey {
            kind: organisation::KIND_NUMBER,
            id,
        };
        found.organisations.extend(self.record_as_written(key)?);
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
            let below = self.sound(&organisation::KIND, &below, rest)?;
            found.organisations.extend(below);
            let rest = (BATCH_MEMBERS_MAX + 1).saturating_sub(found.members.len());
            let of_branch = [Filter::Is(member::BRANCH, above), Filter::Alive];
            let members = self.sound(&member::KIND, &of_branch, rest)?;
            found.members.extend(members);
        }
        for record in &found.members {
            let about = |kind, field| {
                let filters = [Filter::Is(field, record.key.id.bytes().to_vec())];
                self.sound(kind, &filters, ABOUT_MAX)
            };
            let person = record.reference(member::PERSON).map(|id| RecordKey {
                kind: person::KIND_NUMBER,
                id,
            });
            if let Some(person) = person {
                found.of_members.extend(self.record_as_written(person)?);
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
            let naming = self.sound(kind, &filter, ABOUT_MAX)?;
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
            "SELECT for_kind, for_id, node, epoch, sequence, set_aside, until_heard FROM waiting
             WHERE for_kind = ?1 AND for_id = ?2 AND until_heard = 0
             ORDER BY node, epoch, sequence",
        )?;
        let rows = statement.query_map(params![key.kind, key.id.bytes()], read_waiting)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Whether a change that works on this record waits until a restored hub has heard others.
    pub fn is_held(&self, key: RecordKey) -> Result<bool, StoreError> {
        Ok(self
            .connection
            .prepare_cached(
                "SELECT EXISTS (SELECT 1 FROM waiting
                 WHERE for_kind = ?1 AND for_id = ?2 AND until_heard = 1)",
            )?
            .query_row(params![key.kind, key.id.bytes()], |row| row.get(0))?)
    }

    /// Every change that waits, once for each record for which it does.
    pub fn all_waiting(&self) -> Result<Vec<Waiting>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT for_kind, for_id, node, epoch, sequence, set_aside, until_heard FROM waiting
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
        until_heard: row.get(6)?,
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
