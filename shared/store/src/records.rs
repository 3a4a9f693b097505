//! Records of every kind: read and written whole, by key or by a condition on declared fields.

use std::collections::BTreeMap;

use domain::digest::RowHash;
use domain::id::RecordId;
use domain::kind::{Class, Field, FieldType, Kind};
use domain::kinds::{self, organisation};
use domain::record::{FieldState, Record, RecordKey};
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use crate::error::StoreError;
use crate::pack::{
    assemble, class_code, class_of, life_code, life_of, pack_values, pack_versions, unpack_values,
};
use crate::schema;
use crate::sound::seal;

/// What a transaction (or a reader's snapshot) can do with records; `hub` and `node` add the rest.
#[derive(Debug, Clone, Copy)]
pub struct Tx<'c> {
    pub(crate) connection: &'c Connection,
}

/// A condition on one declared field.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// The field's canonical bytes are these (none: it has no value).
    Is(u16, Vec<u8>),
    /// The field's canonical bytes are one of these.
    OneOf(u16, Vec<Vec<u8>>),
    /// The field's text contains this.
    Contains(u16, String),
    /// The record belongs to this office.
    Office(RecordId),
    /// The record lives.
    Alive,
}

impl Filter {
    /// The conditions of a record that counts: it lives, and stands for itself.
    pub fn counting(kind: &Kind) -> Vec<Self> {
        let mut filters = vec![Self::Alive];
        filters.extend(kinds::merged_into(kind.number).map(|field| Self::Is(field, Vec::new())));
        filters
    }
}

impl<'c> Tx<'c> {
    /// The handle on a connection that is in a transaction or reads a snapshot.
    pub const fn on(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// Does a part of this transaction's work; where it fails, nothing of it was done, and the rest can go on.
    ///
    /// # Errors
    /// The work's own; as SQLite says.
    pub fn undone_if_failed<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let run = |sql| self.connection.execute_batch(sql).map_err(StoreError::from);
        run("SAVEPOINT part")?;
        let done = work();
        if done.is_err() {
            run("ROLLBACK TO part")?;
        }
        run("RELEASE part")?;
        done
    }

    /// One record, living or not.
    pub fn record(&self, key: RecordKey) -> Result<Option<Record>, StoreError> {
        let Some(kind) = kinds::by_number(key.kind) else {
            return self.unknown_record(key);
        };
        let sql = format!("{} WHERE id = ?1", schema::select_sql(kind));
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([key.id.bytes()])?;
        match rows.next()? {
            None => Ok(None),
            Some(row) => Ok(Some(read_record(kind, row)?)),
        }
    }

    /// The record with this id, whatever its kind.
    pub fn find(&self, id: RecordId) -> Result<Option<Record>, StoreError> {
        for kind in kinds::ALL {
            let key = RecordKey {
                kind: kind.number,
                id,
            };
            if let Some(record) = self.record(key)? {
                return Ok(Some(record));
            }
        }
        let kind: Option<u16> = self
            .connection
            .prepare_cached("SELECT kind FROM unknown_record WHERE id = ?1")?
            .query_row([id.bytes()], |row| row.get(0))
            .optional()?;
        kind.map_or(Ok(None), |kind| self.record(RecordKey { kind, id }))
    }

    /// The organisation with this id, code, name or short name; none where there is none, or where a
    /// name is ambiguous.
    pub fn organisation_named(&self, text: &str) -> Result<Option<RecordId>, StoreError> {
        if let Ok(id) = RecordId::parse(text) {
            return Ok(Some(id));
        }
        for field in [
            organisation::CODE,
            organisation::NAME,
            organisation::SHORT_NAME,
        ] {
            let filter = [Filter::Is(field, text.as_bytes().to_vec())];
            if let [one] = self.list(&organisation::KIND, &filter, None, 2)?.as_slice() {
                return Ok(Some(one.key.id));
            }
        }
        Ok(None)
    }

    /// The organisation that is an office, and those that name it as theirs.
    pub fn organisations_of(&self, office: RecordId) -> Result<Vec<Record>, StoreError> {
        let named = [
            Filter::Is(organisation::NODE_OFFICE, office.bytes().to_vec()),
            Filter::Alive,
        ];
        let mut all = self.list(&organisation::KIND, &named, None, usize::MAX)?;
        if all.iter().all(|record| record.key.id != office) {
            let kind = organisation::KIND_NUMBER;
            all.extend(self.record(RecordKey { kind, id: office })?);
        }
        Ok(all)
    }

    /// Records of a kind that meet every condition, by id, after a given one.
    pub fn list(
        &self,
        kind: &'static Kind,
        filters: &[Filter],
        after: Option<RecordId>,
        count_max: usize,
    ) -> Result<Vec<Record>, StoreError> {
        self.list_by(kind, filters, (after, count_max), read_record)
    }

    /// The same, each row read in this way.
    pub(crate) fn list_by<T>(
        &self,
        kind: &'static Kind,
        filters: &[Filter],
        (after, count_max): (Option<RecordId>, usize),
        mut read: impl FnMut(&'static Kind, &Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut sql = schema::select_sql(kind);
        let (conditions, mut values) = conditions(kind, filters);
        sql.push_str(" WHERE id > ?1");
        sql.push_str(&conditions);
        sql.push_str(" ORDER BY id LIMIT ?2");
        let after = after.map_or_else(Vec::new, |id| id.bytes().to_vec());
        let limit = i64::try_from(count_max).unwrap_or(i64::MAX);
        let mut all = vec![Value::Blob(after), Value::Integer(limit)];
        all.append(&mut values);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(all))?;
        let mut records = Vec::new();
        while let Some(row) = rows.next()? {
            records.push(read(kind, row)?);
        }
        Ok(records)
    }

    /// How many records of a kind meet every condition.
    pub fn count(&self, kind: &'static Kind, filters: &[Filter]) -> Result<u64, StoreError> {
        let (conditions, values) = conditions(kind, filters);
        let sql = format!(
            "SELECT count(*) FROM \"{}\" WHERE ?1 = ?2{conditions}",
            kind.name
        );
        let mut all = vec![Value::Integer(1), Value::Integer(1)];
        all.extend(values);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let count: i64 = statement.query_row(params_from_iter(all), |row| row.get(0))?;
        Ok(count.cast_unsigned())
    }

    /// Writes a record whole; its hash.
    pub fn write_record(&self, record: &Record) -> Result<RowHash, StoreError> {
        let versions = pack_versions(record.life_version, &record.fields);
        let hash = record.hash();
        let Some(kind) = kinds::by_number(record.key.kind) else {
            self.write_unknown(record, &versions, &hash)?;
            return Ok(hash);
        };
        let seal = seal(&hash, kind.class, record.office, &versions);
        let mut values = vec![
            Value::Blob(record.key.id.bytes().to_vec()),
            Value::Blob(record.office.bytes().to_vec()),
            Value::Integer(record.revision.cast_signed()),
            Value::Integer(i64::from(life_code(record.life))),
            Value::Blob(versions),
            Value::Null,
            Value::Blob(hash.to_vec()),
            Value::Integer(seal),
        ];
        let mut opaque: BTreeMap<u16, &[u8]> = BTreeMap::new();
        for (number, FieldState { value, .. }) in &record.fields {
            if kind.field(*number).is_none() && !value.is_empty() {
                opaque.insert(*number, value);
            }
        }
        for field in kind.fields {
            let bytes = record.value(field.number).unwrap_or_default();
            let column = to_column(field, bytes);
            if column.is_none() {
                opaque.insert(field.number, bytes);
            }
            values.push(column.unwrap_or(Value::Null));
        }
        if !opaque.is_empty()
            && let Some(slot) = values.get_mut(5)
        {
            *slot = Value::Blob(pack_values(opaque));
        }
        self.connection
            .prepare_cached(&schema::upsert_sql(kind))?
            .execute(params_from_iter(values))?;
        Ok(hash)
    }

    /// Removes a record's row: it has left this store's scope, or never was.
    pub fn remove_record(&self, key: RecordKey) -> Result<(), StoreError> {
        match kinds::by_number(key.kind) {
            Some(kind) => self
                .connection
                .prepare_cached(&format!("DELETE FROM \"{}\" WHERE id = ?1", kind.name))?
                .execute([key.id.bytes()])?,
            None => self
                .connection
                .prepare_cached("DELETE FROM unknown_record WHERE kind = ?1 AND id = ?2")?
                .execute(params![key.kind, key.id.bytes()])?,
        };
        Ok(())
    }

    /// The stored hash of a record's row.
    pub fn row_hash(&self, key: RecordKey) -> Result<Option<[u8; 32]>, StoreError> {
        let sql = match kinds::by_number(key.kind) {
            Some(kind) => {
                format!(
                    "SELECT row_hash FROM \"{}\" WHERE id = ?1 AND ?2 > 0",
                    kind.name
                )
            }
            None => "SELECT row_hash FROM unknown_record WHERE id = ?1 AND kind = ?2".to_owned(),
        };
        Ok(self
            .connection
            .prepare_cached(&sql)?
            .query_row(params![key.id.bytes(), key.kind], |row| row.get(0))
            .optional()?)
    }

    /// A single value by name.
    pub fn setting(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self
            .connection
            .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?)
    }

    /// Sets a single value by name.
    pub fn set_setting(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "INSERT INTO setting (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = ?2",
            )?
            .execute(params![name, value])?;
        Ok(())
    }

    fn unknown_record(&self, key: RecordKey) -> Result<Option<Record>, StoreError> {
        self.unknown_by(key, |row| read_unknown(key.kind, row))
    }

    /// A record of a kind that this program does not know, its row read in this way.
    pub(crate) fn unknown_by(
        &self,
        key: RecordKey,
        read: impl FnOnce(&Row<'_>) -> Result<Record, StoreError>,
    ) -> Result<Option<Record>, StoreError> {
        let sql = format!("{} WHERE kind = ?1 AND id = ?2", select_unknown());
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params![key.kind, key.id.bytes()])?;
        rows.next()?.map(read).transpose()
    }

    /// Moves records of a kind that this program has learnt into the kind's own table.
    pub(crate) fn take_in_unknown(&self, kind: &Kind) -> Result<(), StoreError> {
        let ids: Vec<[u8; 16]> = self
            .connection
            .prepare_cached("SELECT id FROM unknown_record WHERE kind = ?1")?
            .query_map([kind.number], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        for id in ids {
            let key = RecordKey {
                kind: kind.number,
                id: RecordId::new(id),
            };
            if let Some(record) = self.unknown_record(key)? {
                self.write_record(&record)?;
            }
            self.connection
                .prepare_cached("DELETE FROM unknown_record WHERE kind = ?1 AND id = ?2")?
                .execute(params![key.kind, key.id.bytes()])?;
        }
        Ok(())
    }

    fn write_unknown(
        &self,
        record: &Record,
        versions: &[u8],
        hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        let values = pack_values(record.fields.iter().map(|(n, f)| (*n, f.value.as_slice())));
        let seal = seal(hash, record.class, record.office, versions);
        self.connection
            .prepare_cached(
                "INSERT INTO unknown_record
                     (kind, id, class, office, revision, life, versions, opaque, row_hash, row_seal)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (kind, id) DO UPDATE SET class = ?3, office = ?4, revision = ?5, life = ?6,
                     versions = ?7, opaque = ?8, row_hash = ?9, row_seal = ?10",
            )?
            .execute(params![
                record.key.kind,
                record.key.id.bytes(),
                class_code(record.class),
                record.office.bytes(),
                record.revision.cast_signed(),
                life_code(record.life),
                versions,
                values,
                hash,
                seal
            ])?;
        Ok(())
    }
}

/// The conditions as SQL after a `WHERE` that used the first two marks, with their values.
fn conditions(kind: &'static Kind, filters: &[Filter]) -> (String, Vec<Value>) {
    let (mut sql, mut values) = (String::new(), Vec::new());
    for filter in filters {
        let mark = values.len() + 3;
        let field = match filter {
            Filter::Is(number, _) | Filter::OneOf(number, _) | Filter::Contains(number, _) => {
                kind.field(*number)
            }
            Filter::Office(_) | Filter::Alive => None,
        };
        match (filter, field) {
            (Filter::Alive, _) => sql.push_str(" AND life = 1"),
            (Filter::Office(office), _) => {
                sql.push_str(&format!(" AND office = ?{mark}"));
                values.push(Value::Blob(office.bytes().to_vec()));
            }
            (Filter::Is(..) | Filter::OneOf(..) | Filter::Contains(..), None) => {
                sql.push_str(" AND 0");
            }
            (Filter::Is(_, bytes), Some(field)) if bytes.is_empty() => {
                sql.push_str(&format!(" AND \"{}\" IS NULL", field.name));
            }
            (Filter::Is(_, bytes), Some(field)) => {
                sql.push_str(&format!(" AND \"{}\" = ?{mark}", field.name));
                let value = to_column(field, bytes);
                values.push(value.unwrap_or_else(|| Value::Blob(bytes.clone())));
            }
            (Filter::OneOf(_, all), Some(field)) => {
                let marks: Vec<_> = (mark..mark + all.len()).map(|n| format!("?{n}")).collect();
                sql.push_str(&format!(
                    " AND \"{}\" IN ({})",
                    field.name,
                    marks.join(", ")
                ));
                for bytes in all {
                    let value = to_column(field, bytes);
                    values.push(value.unwrap_or_else(|| Value::Blob(bytes.clone())));
                }
            }
            (Filter::Contains(_, text), Some(field)) => {
                sql.push_str(&format!(" AND instr(\"{}\", ?{mark}) > 0", field.name));
                values.push(Value::Text(text.clone()));
            }
        }
    }
    (sql, values)
}

pub(crate) fn read_record(kind: &'static Kind, row: &Row<'_>) -> Result<Record, StoreError> {
    let opaque: Option<Vec<u8>> = row.get(5)?;
    let mut values = unpack_values(&opaque.unwrap_or_default())?;
    for (position, field) in kind.fields.iter().enumerate() {
        let column = row.get_ref(schema::COLUMNS_BEFORE_FIELDS + position)?;
        if let Some(bytes) = from_column(column) {
            values.insert(field.number, bytes);
        }
    }
    put_together(kind.number, kind.class, row, values)
}

/// `SELECT` of whole records of kinds that this program does not know, up to the `WHERE`.
pub(crate) fn select_unknown() -> String {
    format!(
        "SELECT {}, class, kind FROM unknown_record",
        schema::BEFORE_FIELDS
    )
}

pub(crate) fn read_unknown(kind: u16, row: &Row<'_>) -> Result<Record, StoreError> {
    let opaque: Option<Vec<u8>> = row.get(5)?;
    let values = unpack_values(&opaque.unwrap_or_default())?;
    let class: u8 = row.get(schema::COLUMNS_BEFORE_FIELDS)?;
    put_together(kind, class_of(&[class])?, row, values)
}

fn put_together(
    kind: u16,
    class: Class,
    row: &Row<'_>,
    values: BTreeMap<u16, Vec<u8>>,
) -> Result<Record, StoreError> {
    let id = RecordId::new(row.get(0)?);
    let versions: Vec<u8> = row.get(4)?;
    assemble(
        RecordKey { kind, id },
        class,
        RecordId::new(row.get(1)?),
        row.get::<_, i64>(2)?.cast_unsigned(),
        life_of(&[row.get::<_, u8>(3)?])?,
        &versions,
        values,
    )
}

/// The column's value for canonical bytes; none where they are no value of the declared type and
/// must be kept beside it.
fn to_column(field: &Field, bytes: &[u8]) -> Option<Value> {
    if bytes.is_empty() {
        return Some(Value::Null);
    }
    match field.of {
        FieldType::Integer(..) | FieldType::Instant | FieldType::Boolean => {
            let text = std::str::from_utf8(bytes).ok()?;
            let number: i64 = text.parse().ok()?;
            (number.to_string() == text).then_some(Value::Integer(number))
        }
        FieldType::Reference(_) | FieldType::Bytes(_) => Some(Value::Blob(bytes.to_vec())),
        _ => Some(Value::Text(std::str::from_utf8(bytes).ok()?.to_owned())),
    }
}

fn from_column(value: ValueRef<'_>) -> Option<Vec<u8>> {
    match value {
        ValueRef::Null | ValueRef::Real(_) => None,
        ValueRef::Integer(number) => Some(number.to_string().into_bytes()),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Some(bytes.to_vec()),
    }
}
