//! The books of letter numbers: blocks leased to nodes and to the hub's own desk.

use std::collections::BTreeSet;

use domain::checks::letter_number::LetterNumber;
use domain::id::{DESK, NodeId, OfficeId, RecordId};
use domain::lease::{Block, Booked, VoidReason};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::error::StoreError;
use crate::records::Tx;

const SELECT: &str = "SELECT lease.issuer, lease.year, lease.first, lease.end, lease.next,
        lease.node, lease.epoch, lease.voided, node.office
    FROM lease LEFT JOIN node ON node.id = lease.node";

impl Tx<'_> {
    /// Every block that was ever leased, by issuer, year and first number.
    pub fn leases(&self) -> Result<Vec<Booked>, StoreError> {
        let sql = format!("{SELECT} ORDER BY lease.issuer, lease.year, lease.first");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], read_booked)?;
        rows.map(|row| row?).collect()
    }

    /// Every block of an issuer, whoever holds it.
    pub fn leases_of(&self, issuer: RecordId) -> Result<Vec<Booked>, StoreError> {
        let sql = format!("{SELECT} WHERE lease.issuer = ?1 ORDER BY lease.year, lease.first");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([issuer.bytes()], read_booked)?;
        rows.map(|row| row?).collect()
    }

    /// The issuers of the blocks that a node ever held.
    pub fn lease_issuers(&self, node: NodeId) -> Result<BTreeSet<RecordId>, StoreError> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT DISTINCT issuer FROM lease WHERE node = ?1")?;
        let rows = statement.query_map([node.bytes()], |row| Ok(RecordId::new(row.get(0)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The block in which an issuer's number lies, if it is leased.
    pub fn lease_at(
        &self,
        issuer: RecordId,
        number: LetterNumber,
    ) -> Result<Option<Booked>, StoreError> {
        let sql = format!(
            "{SELECT} WHERE lease.issuer = ?1 AND lease.year = ?2
                AND lease.first <= ?3 AND ?3 < lease.end"
        );
        self.connection
            .prepare_cached(&sql)?
            .query_row(
                params![issuer.bytes(), number.year(), number.serial()],
                read_booked,
            )
            .optional()?
            .transpose()
    }

    /// Books a block, or what has become of it.
    pub fn put_lease(&self, booked: &Booked, now_ms: u64) -> Result<(), StoreError> {
        let Block {
            issuer,
            year,
            first,
            end,
            next,
        } = booked.block;
        let voided_at = booked.voided.map(|_| now_ms.cast_signed());
        self.connection
            .prepare_cached(
                "INSERT INTO lease
                     (issuer, year, first, end, next, node, epoch, leased_at, voided, voided_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
                 ON CONFLICT (issuer, year, first) DO UPDATE SET next = max(next, ?5),
                     voided = ?9, voided_at = coalesce(voided_at, ?10)",
            )?
            .execute(params![
                issuer.bytes(),
                year,
                first,
                end,
                next,
                booked.node.bytes(),
                booked.epoch,
                now_ms.cast_signed(),
                booked.voided.map(VoidReason::code),
                voided_at
            ])?;
        Ok(())
    }

    /// A number stands on a letter: what is given out of its block comes after it.
    pub fn note_number_given(
        &self,
        issuer: RecordId,
        number: LetterNumber,
    ) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "UPDATE lease SET next = ?3 + 1
                 WHERE issuer = ?1 AND year = ?2 AND first <= ?3 AND ?3 < end AND next <= ?3",
            )?
            .execute(params![issuer.bytes(), number.year(), number.serial()])?;
        Ok(())
    }

    /// The serials of an issuer's letters of a year, from one on.
    pub fn letter_serials(
        &self,
        issuer: RecordId,
        year: u16,
        from: u32,
    ) -> Result<BTreeSet<u32>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT serial FROM letter
             WHERE issuer = ?1 AND year = ?2 AND serial >= ?3 AND serial <= ?4",
        )?;
        let bounds = params![issuer.bytes(), year, from, u32::MAX];
        let rows = statement.query_map(bounds, |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

fn read_booked(row: &Row<'_>) -> rusqlite::Result<Result<Booked, StoreError>> {
    let office: Option<[u8; 16]> = row.get(8)?;
    let code: Option<String> = row.get(7)?;
    let voided = match code {
        None => None,
        Some(code) => match VoidReason::from_code(&code) {
            Some(reason) => Some(reason),
            None => return Ok(Err(StoreError::Unreadable("lease.voided"))),
        },
    };
    Ok(Ok(Booked {
        block: Block {
            issuer: RecordId::new(row.get(0)?),
            year: row.get(1)?,
            first: row.get(2)?,
            end: row.get(3)?,
            next: row.get(4)?,
        },
        node: NodeId::new(row.get(5)?),
        epoch: row.get(6)?,
        office: office.map_or(DESK, OfficeId::new),
        voided,
    }))
}
