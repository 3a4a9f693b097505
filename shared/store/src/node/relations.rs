//! What always holds between the rows that a node keeps beside its records.

use crate::error::StoreError;
use crate::records::Tx;
use crate::sound::Relation;

const RELATIONS: &[Relation] = &[
    // An entry becomes pending when it is appended, or again from the journal itself, under its own record; it is taken
    // out of the journal and put aside only when it is pending no more.
    (
        "a pending change is no entry of the journal about its record",
        "SELECT format('%d/%d', epoch, sequence) FROM pending AS p
         WHERE is_waiting NOT IN (0, 1) OR NOT EXISTS (SELECT 1 FROM journal AS j
             WHERE j.epoch = p.epoch AND j.sequence = p.sequence AND j.kind = p.kind AND j.id = p.id)",
    ),
    // A base image is put with the first pending change of a row, and goes with the last.
    (
        "a row has pending changes and no base image",
        "SELECT DISTINCT format('%d/%s', kind, lower(hex(id))) FROM pending AS p
         WHERE NOT EXISTS (SELECT 1 FROM base_image AS b WHERE b.kind = p.kind AND b.id = p.id)",
    ),
    (
        "a row has a base image and no pending changes",
        "SELECT format('%d/%s', kind, lower(hex(id))) FROM base_image AS b
         WHERE NOT EXISTS (SELECT 1 FROM pending AS p WHERE p.kind = b.kind AND p.id = b.id)",
    ),
    // What leaves is counted no more, and what is counted again is not to be erased: each in one transaction. Erased
    // while it is counted it would be missing from a feed of the hub.
    (
        "a row is counted in a feed and is to be erased",
        "SELECT format('%d/%s', l.kind, lower(hex(l.id))) FROM leaving AS l
         JOIN counted AS c ON c.kind = l.kind AND c.id = l.id",
    ),
    (
        "a mark is none",
        "SELECT format('leaving %d/%s', kind, lower(hex(id))) FROM leaving WHERE waits NOT IN (0, 1)
         UNION ALL SELECT format('erased %d', number) FROM erased WHERE is_told NOT IN (0, 1)",
    ),
    // The cursor never goes back but to zero, and then the head that was read last goes with it.
    (
        "a feed was read to its head behind the cursor",
        "SELECT name FROM feed WHERE whole_through NOT BETWEEN 0 AND sequence
             OR released_through < 0 OR past_released NOT IN (0, 1)",
    ),
    // The hub leases blocks with a number at least, and the greater of two next numbers counts.
    (
        "a block of letter numbers has no number",
        "SELECT format('%d/%d', year, first) FROM lease
         WHERE first < 1 OR end <= first OR next < first",
    ),
    // All are written when the machine joins: node, epoch and office; the node; node and office of each before.
    (
        "an identity cannot be read",
        "SELECT name FROM setting WHERE (name = 'own' AND length(value) <> 36)
             OR (name = 'identity' AND length(value) <> 16)
             OR (name = 'former_identities' AND length(value) % 32 <> 0)",
    ),
];

impl Tx<'_> {
    /// Where what a node keeps beside its records contradicts itself or them, in words; of each relation at most so
    /// many places. Reads every row of it once.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn broken_at_node(&self, count_max: usize) -> Result<Vec<String>, StoreError> {
        let mut broken = Vec::new();
        for relation in RELATIONS {
            broken.extend(self.broken(*relation, count_max)?);
        }
        Ok(broken)
    }
}
