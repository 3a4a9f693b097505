//! What always holds between the rows that the hub keeps beside its records.

use domain::kind::Kind;
use domain::kinds;

use crate::error::StoreError;
use crate::records::Tx;
use crate::sound::Relation;

const RELATIONS: &[Relation] = &[
    // What is decided was received before. The hub decides its own changes at once; no greeting is ever in its own
    // name, so it is offered no epoch, nothing is proven of it, and it is nobody's copy.
    (
        "a journal says what cannot be",
        "SELECT format('%s/%d', lower(hex(node)), epoch) FROM journal
         WHERE decided_through NOT BETWEEN 0 AND received OR kept_only NOT IN (0, 1)
             OR history_through < 0 OR (history_chain IS NOT NULL AND history_through = 0)
             OR (node = (SELECT value FROM setting WHERE name = 'hub_node')
                 AND (decided_through <> received OR kept_only OR history_through > 0
                     OR offered_for IS NOT NULL))",
    ),
    // A machine is noted before its journal begins, and neither is ever removed.
    (
        "a journal is nobody's",
        "SELECT format('%s/%d', lower(hex(node)), epoch) FROM journal
         WHERE node NOT IN (SELECT id FROM node)
             AND node IS NOT (SELECT value FROM setting WHERE name = 'hub_node')",
    ),
    // A run is kept in the transaction that notes how far its journal goes.
    (
        "a run is behind the end of its journal",
        "SELECT format('%s/%d/%d', lower(hex(node)), epoch, last) FROM batch AS b
         WHERE b.last > coalesce((SELECT j.received FROM journal AS j
             WHERE j.node = b.node AND j.epoch = b.epoch), 0)",
    ),
    // A greeting is noted in a journal that is there, with the next number; the oldest are forgotten from below.
    (
        "greetings are missing",
        "SELECT format('%s/%d', lower(hex(node)), epoch) FROM greeting AS g GROUP BY node, epoch
         HAVING max(number) - min(number) + 1 <> count(*)
             OR NOT EXISTS (SELECT 1 FROM journal AS j WHERE j.node = g.node AND j.epoch = g.epoch)",
    ),
    // Whoever takes the next place puts an entry there. It stays until it moves on to a later one, or is released,
    // and that is noted. What a feed is at the end of a commit is noted too.
    (
        "a feed's head is not where its last entry is",
        "SELECT name FROM feed AS f
         WHERE next_sequence - 1 <> max(released_through, coalesce(
                 (SELECT max(e.sequence) FROM feed_entry AS e WHERE e.feed = f.name), 0))
             OR restored_next NOT BETWEEN 0 AND next_sequence OR released_through < 0
             OR NOT EXISTS (SELECT 1 FROM feed_state AS s
                 WHERE s.feed = f.name AND s.sequence = f.next_sequence - 1 AND s.sum = f.sum)",
    ),
    (
        "a feed is remembered behind its head",
        "SELECT format('%s at %d', s.feed, s.sequence) FROM feed_state AS s
         WHERE s.sequence >= coalesce((SELECT f.next_sequence FROM feed AS f WHERE f.name = s.feed), 0)",
    ),
    // Of the places of an entry the last foreign one is not later; a foreign move and a leaving are at the place
    // itself. An own move is by a change that stands in its journal, which never becomes shorter.
    (
        "an entry of a feed says what cannot be",
        "SELECT format('%d/%s in %s', e.kind, lower(hex(e.id)), e.feed) FROM feed_entry AS e
         LEFT JOIN feed AS f ON f.name = e.feed
         WHERE f.name IS NULL OR e.sequence NOT BETWEEN 1 AND f.next_sequence - 1
             OR e.foreign_sequence NOT BETWEEN 0 AND e.sequence
             OR (e.own_node IS NULL) <> (e.own_epoch IS NULL)
             OR (e.own_node IS NULL) <> (e.own_sequence IS NULL)
             OR (e.own_node IS NULL AND e.foreign_sequence <> e.sequence)
             OR (e.left_reason IS NULL) <> (e.left_at IS NULL)
             OR (e.left_reason IS NOT NULL
                 AND (e.own_node IS NOT NULL OR e.left_reason NOT IN (1, 2, 4)))
             OR (e.own_node IS NOT NULL AND e.own_sequence NOT BETWEEN 1 AND coalesce(
                 (SELECT j.received FROM journal AS j
                  WHERE j.node = e.own_node AND j.epoch = e.own_epoch), 0))",
    ),
    // A cursor beyond the head is noted as none, and the head only goes on.
    (
        "a node has acknowledged what was never there",
        "SELECT format('%s in %s', lower(hex(a.node)), a.feed) FROM acknowledged AS a
         WHERE a.sequence NOT BETWEEN 0 AND coalesce(
             (SELECT f.next_sequence FROM feed AS f WHERE f.name = a.feed), 1) - 1",
    ),
    // The same of a place at which a node was equal.
    (
        "a certificate is of a place that was never there",
        "SELECT format('%s in %s', lower(hex(c.node)), c.feed) FROM certificate AS c
         WHERE c.sequence NOT BETWEEN 0 AND coalesce(
             (SELECT f.next_sequence FROM feed AS f WHERE f.name = c.feed), 1) - 1",
    ),
    // The backup is a copy of this database as it was, and goes with its journals.
    (
        "a backup has more than the hub",
        "SELECT format('%d: %s/%d', b.backup, lower(hex(b.node)), b.epoch) FROM backup_journal AS b
         WHERE b.backup NOT IN (SELECT number FROM backup)
             OR b.received NOT BETWEEN 0 AND coalesce((SELECT j.received FROM journal AS j
                 WHERE j.node = b.node AND j.epoch = b.epoch), -1)",
    ),
    // An item and a note are written with the outcome that names them, or were there before. Neither is deleted; only
    // what is removed for good would be gone.
    (
        "an outcome names nothing",
        "SELECT format('%s/%d/%d field %d', lower(hex(o.node)), o.epoch, o.sequence, o.field)
         FROM outcome AS o WHERE length(o.target) <> CASE o.state WHEN 1 THEN 28 ELSE 16 END
             OR (o.state = 2 AND NOT EXISTS (SELECT 1 FROM conflict AS c WHERE c.id = o.target)
                 AND NOT EXISTS (SELECT 1 FROM purged AS p WHERE p.id = o.target))
             OR (o.state > 2 AND NOT EXISTS (SELECT 1 FROM set_aside AS n WHERE n.id = o.target)
                 AND NOT EXISTS (SELECT 1 FROM purged AS p WHERE p.id = o.target))",
    ),
    (
        "a change waits without a note",
        "SELECT format('%s/%d/%d', lower(hex(w.node)), w.epoch, w.sequence) FROM waiting AS w
         WHERE w.until_heard NOT IN (0, 1)
             OR (NOT EXISTS (SELECT 1 FROM set_aside AS n WHERE n.id = w.set_aside)
                 AND NOT EXISTS (SELECT 1 FROM purged AS p WHERE p.id = w.set_aside))",
    ),
    // A code makes a machine of its own office, in one transaction.
    (
        "a code has made no machine of its office",
        "SELECT lower(hex(c.node)) FROM code AS c WHERE c.node IS NOT NULL
             AND NOT EXISTS (SELECT 1 FROM node AS n WHERE n.id = c.node AND n.office = c.office)",
    ),
    // Blocks are leased to whoever greets, and to the desk; when one became void is noted with the reason.
    (
        "a block of letter numbers is nobody's, or void without a day",
        "SELECT format('%s %d/%d', lower(hex(l.issuer)), l.year, l.first) FROM lease AS l
         WHERE (l.voided IS NOT NULL AND l.voided_at IS NULL)
             OR (l.node NOT IN (SELECT id FROM node)
                 AND l.node IS NOT (SELECT value FROM setting WHERE name = 'hub_node'))",
    ),
    // Of kinds that this program knows: `tombstones`.
    (
        "a record is deleted without a tombstone, or the other way round",
        "SELECT format('%d/%s', r.kind, lower(hex(r.id))) FROM unknown_record AS r
         WHERE (r.life = 2) <> EXISTS (SELECT 1 FROM tombstone AS t WHERE t.kind = r.kind AND t.id = r.id)",
    ),
];

/// Each writing of a record notes whether it is deleted; both are removed together.
fn tombstones(kind: &Kind) -> String {
    let (number, name) = (kind.number, kind.name);
    format!(
        "SELECT format('{number}/%s', lower(hex(r.id))) FROM \"{name}\" AS r
         WHERE (r.life = 2) <> EXISTS
             (SELECT 1 FROM tombstone AS t WHERE t.kind = {number} AND t.id = r.id)
         UNION ALL SELECT format('{number}/%s', lower(hex(t.id))) FROM tombstone AS t
         WHERE t.kind = {number} AND NOT EXISTS (SELECT 1 FROM \"{name}\" AS r WHERE r.id = t.id)"
    )
}

impl Tx<'_> {
    /// Where what the hub keeps beside its records contradicts itself or them, in words; of each relation at most so
    /// many places. Reads every row of it once.
    ///
    /// # Errors
    /// As SQLite says.
    pub fn broken_at_hub(&self, count_max: usize) -> Result<Vec<String>, StoreError> {
        let mut broken = Vec::new();
        for relation in RELATIONS {
            broken.extend(self.broken(*relation, count_max)?);
        }
        for kind in kinds::ALL {
            let what = "a record is deleted without a tombstone, or the other way round";
            broken.extend(self.broken((what, tombstones(kind).as_str()), count_max)?);
        }
        Ok(broken)
    }
}
