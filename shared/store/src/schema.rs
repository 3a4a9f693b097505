//! Tables and statements of the declared kinds, built from their declarations.
//!
//! SQL text is built from declared identifiers only, never from values. A field that was declared
//! later is added as a column; a row written before has no value there, and none is rewritten.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use domain::kind::{FieldType, Kind};
use domain::kinds;
use rusqlite::Connection;

use crate::error::StoreError;
use crate::open::Side;
use crate::records::Tx;

/// The columns that every kind's table has besides its fields.
pub const RESERVED: [&str; 10] = [
    "id",
    "office",
    "revision",
    "life",
    "life_version",
    "versions",
    "opaque",
    "row_hash",
    "row_seal",
    "pending",
];

/// The SQL type of a field's column.
pub fn column_type(of: &FieldType) -> &'static str {
    match of {
        FieldType::Integer(..) | FieldType::Instant | FieldType::Boolean => "INTEGER",
        FieldType::Reference(_) | FieldType::Bytes(_) => "BLOB",
        FieldType::Text(_)
        | FieldType::Date { .. }
        | FieldType::Month
        | FieldType::Code(_)
        | FieldType::IdNumber
        | FieldType::Phone
        | FieldType::Name => "TEXT",
    }
}

const HUB_INDEXES: [&str; 2] = [
    "CREATE UNIQUE INDEX IF NOT EXISTS tenure_open ON tenure (member)
                 WHERE closed IS NULL AND life = 1",
    "CREATE INDEX IF NOT EXISTS conflict_open ON conflict (subject) WHERE state = 'open'",
];

/// Makes the tables and columns that are declared and not there yet. What is there as it is declared is
/// known by how SQLite keeps its text, and passed over.
pub(crate) fn make_tables(connection: &mut Connection, side: Side) -> Result<(), StoreError> {
    let tx = connection.transaction()?;
    let made = made(&tx)?;
    let is_made = |sql: &str| made.contains(&sql.replacen(" IF NOT EXISTS", "", 1));
    for kind in kinds::ALL {
        let sql = create_sql(kind);
        if !is_made(&sql) {
            tx.execute_batch(&sql)?;
            add_columns(&tx, kind)?;
        }
        for field in kind.indexed.iter().filter_map(|number| kind.field(*number)) {
            let (table, name) = (kind.name, field.name);
            let sql = format!(
                "CREATE INDEX IF NOT EXISTS \"{table}_{name}\" ON \"{table}\" (\"{name}\")"
            );
            if !is_made(&sql) {
                tx.execute_batch(&sql)?;
            }
        }
    }
    let of_hub = HUB_INDEXES.iter().filter(|_| side == Side::Hub);
    for sql in of_hub.filter(|sql| !is_made(sql)) {
        tx.execute_batch(sql)?;
    }
    for kind in unknown_kinds(&tx)?.into_iter().filter_map(kinds::by_number) {
        Tx::on(&tx).take_in_unknown(kind)?;
    }
    tx.commit()?;
    Ok(())
}

fn add_columns(connection: &Connection, kind: &Kind) -> Result<(), StoreError> {
    let present = columns(connection, kind.name)?;
    refuse_newer(kind, &present)?;
    for field in kind
        .fields
        .iter()
        .filter(|field| !present.contains(field.name))
    {
        let (table, name, of) = (kind.name, field.name, column_type(&field.of));
        connection.execute_batch(&format!(
            "ALTER TABLE \"{table}\" ADD COLUMN \"{name}\" {of}"
        ))?;
    }
    Ok(())
}

/// The statements that made what is there, as SQLite keeps them: without `IF NOT EXISTS`.
fn made(connection: &Connection) -> Result<BTreeSet<String>, StoreError> {
    let mut statement =
        connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")?;
    let texts = statement.query_map([], |row| row.get(0))?;
    Ok(texts.collect::<Result<_, _>>()?)
}

/// The kinds of records that were kept without being known.
fn unknown_kinds(connection: &Connection) -> Result<Vec<u16>, StoreError> {
    let mut statement = connection.prepare("SELECT DISTINCT kind FROM unknown_record")?;
    let found = statement.query_map([], |row| row.get(0))?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// A column that this program does not know was made by a newer one, which would lose its values
/// if this one wrote the row.
fn refuse_newer(kind: &Kind, present: &BTreeSet<String>) -> Result<(), StoreError> {
    let known = kind.fields.len() + COLUMNS_BEFORE_FIELDS;
    let is_known =
        |name: &String| kind.field_named(name).is_some() || RESERVED.contains(&name.as_str());
    if present.iter().all(is_known) {
        return Ok(());
    }
    Err(StoreError::SchemaTooNew {
        found: present.len(),
        known,
    })
}

fn create_sql(kind: &Kind) -> String {
    let mut sql = format!(
        "CREATE TABLE IF NOT EXISTS \"{}\" (
             id BLOB PRIMARY KEY CHECK (length(id) = 16),
             office BLOB NOT NULL CHECK (length(office) = 16),
             revision INTEGER NOT NULL,
             life INTEGER NOT NULL CHECK (life IN (1, 2))",
        kind.name
    );
    for field in kind.fields {
        // Writing to a String cannot fail.
        let _ = write!(sql, ", \"{}\" {}", field.name, column_type(&field.of));
    }
    sql.push_str(
        ", versions BLOB NOT NULL, opaque BLOB,
           row_hash BLOB NOT NULL CHECK (length(row_hash) = 32),
           row_seal INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    );
    sql
}

fn columns(connection: &Connection, table: &str) -> Result<BTreeSet<String>, StoreError> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    Ok(names.collect::<Result<_, _>>()?)
}

/// `SELECT` of whole records of a kind, up to the `WHERE`.
pub(crate) fn select_sql(kind: &Kind) -> String {
    let mut sql = format!("SELECT {BEFORE_FIELDS}");
    for field in kind.fields {
        let _ = write!(sql, ", \"{}\"", field.name);
    }
    let _ = write!(sql, " FROM \"{}\"", kind.name);
    sql
}

/// The columns that stand before the fields in [`select_sql`], and how many they are.
pub(crate) const BEFORE_FIELDS: &str =
    "id, office, revision, life, versions, opaque, row_hash, row_seal";
pub(crate) const COLUMNS_BEFORE_FIELDS: usize = 8;

/// Writes a whole record of a kind, new or known.
pub(crate) fn upsert_sql(kind: &Kind) -> String {
    let mut names = BEFORE_FIELDS.to_owned();
    let mut marks = "?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8".to_owned();
    let mut sets = "office = ?2, revision = ?3, life = ?4, versions = ?5, opaque = ?6,
         row_hash = ?7, row_seal = ?8"
        .to_owned();
    for (position, field) in kind.fields.iter().enumerate() {
        let mark = position + COLUMNS_BEFORE_FIELDS + 1;
        let _ = write!(names, ", \"{}\"", field.name);
        let _ = write!(marks, ", ?{mark}");
        let _ = write!(sets, ", \"{}\" = ?{mark}", field.name);
    }
    format!(
        "INSERT INTO \"{}\" ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {sets}",
        kind.name
    )
}
