//! Blocks of letter numbers that the hub has leased to this machine.

use domain::id::{NodeId, RecordId};
use domain::lease::Block;
use rusqlite::params;

use crate::error::StoreError;
use crate::records::Tx;

/// A block with the identity that it was leased to: under another one it is only told to the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leased {
    /// The block.
    pub block: Block,
    /// The node.
    pub node: NodeId,
    /// Its epoch.
    pub epoch: u32,
}

impl Tx<'_> {
    /// Every block, by issuer, year and first number.
    pub fn leases_held(&self) -> Result<Vec<Leased>, StoreError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT issuer, year, first, end, next, node, epoch FROM lease
             ORDER BY issuer, year, first",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Leased {
                block: Block {
                    issuer: RecordId::new(row.get(0)?),
                    year: row.get(1)?,
                    first: row.get(2)?,
                    end: row.get(3)?,
                    next: row.get(4)?,
                },
                node: NodeId::new(row.get(5)?),
                epoch: row.get(6)?,
            })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Keeps a block that the hub has granted; the greater next number counts.
    pub fn keep_lease(&self, leased: &Leased) -> Result<(), StoreError> {
        let Block {
            issuer,
            year,
            first,
            end,
            next,
        } = leased.block;
        self.connection
            .prepare_cached(
                "INSERT INTO lease (issuer, year, first, end, next, node, epoch)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                 ON CONFLICT (issuer, year, first) DO UPDATE SET end = ?4, next = max(next, ?5),
                     node = ?6, epoch = ?7",
            )?
            .execute(params![
                issuer.bytes(),
                year,
                first,
                end,
                next,
                leased.node.bytes(),
                leased.epoch
            ])?;
        Ok(())
    }

    /// Lets go of a block that the hub did not grant again, unless a number was given out of it since
    /// the hub was told of it.
    pub fn drop_lease(&self, told: &Block) -> Result<(), StoreError> {
        self.connection
            .prepare_cached(
                "DELETE FROM lease
                 WHERE issuer = ?1 AND year = ?2 AND first = ?3 AND next <= ?4",
            )?
            .execute(params![
                told.issuer.bytes(),
                told.year,
                told.first,
                told.next
            ])?;
        Ok(())
    }
}
