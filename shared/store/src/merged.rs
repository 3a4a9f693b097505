//! Records that were merged, and those that may be the same: references keep the id that they name
//! and are resolved on reading (`sync.md` 6).

use std::collections::BTreeSet;

use domain::id::RecordId;
use domain::kind::FieldType;
use domain::kind::Kind;
use domain::kinds::{self, person};
use domain::record::{Record, RecordKey};

use crate::error::StoreError;
use crate::records::{Filter, Tx};

/// Records that are one: more would be a mistake.
const SAME_MAX: usize = 256;

impl Tx<'_> {
    /// Every record that is one with this: the one that stands for it first, then all that were
    /// merged into that. The record alone where it was never merged.
    pub fn same_as(&self, key: RecordKey) -> Result<Vec<RecordId>, StoreError> {
        let (Some(kind), Some(field)) = (kinds::by_number(key.kind), kinds::merged_into(key.kind))
        else {
            return Ok(vec![key.id]);
        };
        let mut root = key;
        let mut seen = BTreeSet::new();
        while seen.insert(root.id)
            && let Some(next) = self
                .record(root)?
                .and_then(|record| record.reference(field))
        {
            root.id = next;
        }
        let mut all = vec![root.id];
        let mut known = BTreeSet::from([root.id]);
        let mut at = 0;
        while let Some(id) = all.get(at).copied().filter(|_| all.len() < SAME_MAX) {
            at += 1;
            let into = [Filter::Is(field, id.bytes().to_vec())];
            for record in self.list(kind, &into, None, SAME_MAX)? {
                if known.insert(record.key.id) {
                    all.push(record.key.id);
                }
            }
        }
        Ok(all)
    }

    /// The record whose merge is taken back when this one is named: itself, or the last that was
    /// merged into it.
    pub fn last_merged(&self, named: &Record) -> Result<Option<Record>, StoreError> {
        let Some(field) = kinds::merged_into(named.key.kind) else {
            return Ok(None);
        };
        if named.value(field).is_some() {
            return Ok(Some(named.clone()));
        }
        let Some(kind) = kinds::by_number(named.key.kind) else {
            return Ok(None);
        };
        let into = [Filter::Is(field, named.key.id.bytes().to_vec())];
        let mut merged = self.list(kind, &into, None, SAME_MAX)?;
        merged.sort_by_key(|record| {
            let version = record.fields.get(&field).map(|field| field.version);
            version.map(|version| (version.ordered_at, version.change))
        });
        Ok(merged.pop())
    }

    /// The condition that a field has this value; where it refers to a record that was merged, that
    /// it refers to any record that is one with it.
    fn condition(&self, kind: &Kind, number: u16, value: Vec<u8>) -> Result<Filter, StoreError> {
        let of = kind.field(number).map(|field| field.of);
        let (Some(FieldType::Reference(of)), Ok(id)) = (of, RecordId::from_slice(&value)) else {
            return Ok(Filter::Is(number, value));
        };
        let same = self.same_as(RecordKey { kind: of, id })?;
        if same.len() < 2 {
            return Ok(Filter::Is(number, value));
        }
        let same = same.iter().map(|id| id.bytes().to_vec()).collect();
        Ok(Filter::OneOf(number, same))
    }

    /// The conditions of a list: records that count, unless it asks for merged ones, with these
    /// values.
    pub fn conditions(
        &self,
        kind: &Kind,
        wanted: Vec<(u16, Vec<u8>)>,
    ) -> Result<Vec<Filter>, StoreError> {
        let merged = kinds::merged_into(kind.number);
        let asks_for_merged = wanted.iter().any(|(number, _)| Some(*number) == merged);
        let mut filters = if asks_for_merged {
            vec![Filter::Alive]
        } else {
            Filter::counting(kind)
        };
        for (number, value) in wanted {
            filters.push(self.condition(kind, number, value)?);
        }
        Ok(filters)
    }

    /// The living persons of this store that bear the same ID number, group by group.
    pub fn persons_alike(&self) -> Result<Vec<Vec<Record>>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id_number FROM person
             WHERE life = 1 AND merged_into IS NULL AND id_number IS NOT NULL
             GROUP BY id_number HAVING count(*) > 1 ORDER BY id_number",
        )?;
        let numbers: Vec<String> = statement
            .query_map([], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut groups = Vec::new();
        for number in numbers {
            let mut filters = Filter::counting(&person::KIND);
            filters.push(Filter::Is(person::ID_NUMBER, number.into_bytes()));
            groups.push(self.list(&person::KIND, &filters, None, SAME_MAX)?);
        }
        Ok(groups)
    }
}
