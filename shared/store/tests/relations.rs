//! What stands beside the rows is held against what always holds between it and them.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use domain::change::RawChange;
use domain::clock::Timestamp;
use domain::digest::Digest;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
use domain::kind::Class;
use domain::kinds::{conflict, person, set_aside};
use domain::lease::{Block, Booked};
use domain::record::{Life, Record, RecordKey, Version};
use domain::session::hub::{Acknowledged, Proven};
use domain::world::{Leaving, Mover, Outcome, Waiting, Writes};
use rusqlite::Connection;
use store::hub::{Batch, Bound, Code, Journal, Node};
use store::node::{Entry, Leased, Reading};
use store::open::{Side, writer};
use store::writer::write_on;
use store::{StoreError, Tx};

const HUB: NodeId = NodeId::new([9; 16]);
const NODE: NodeId = NodeId::new([1; 16]);
const OFFICE: OfficeId = OfficeId::new([2; 16]);
const OTHER: OfficeId = OfficeId::new([3; 16]);
const UNKNOWN_KIND: u16 = 60_000;

fn key(kind: u16, id: u8) -> RecordKey {
    let id = RecordId::new([id; 16]);
    RecordKey { kind, id }
}

fn change(sequence: u64) -> ChangeId {
    ChangeId {
        node: NODE,
        epoch: 1,
        sequence,
    }
}

fn record(key: RecordKey, life: Life) -> Record {
    let class = domain::kinds::by_number(key.kind).map_or(Class::Shared, |kind| kind.class);
    Record {
        key,
        class,
        office: OFFICE,
        revision: 1 + u64::from(life == Life::Deleted),
        life,
        life_version: Version::default(),
        fields: BTreeMap::new(),
    }
}

/// What the hub has decided: a living and a deleted person, one of a kind that it does not know, an item, a note for
/// which a change waits. Another office had the person for a while.
fn decided() -> [Writes; 2] {
    let mut writes = Writes::default();
    for (key, life) in [
        (key(person::KIND_NUMBER, 10), Life::Alive),
        (key(person::KIND_NUMBER, 11), Life::Deleted),
        (key(UNKNOWN_KIND, 12), Life::Alive),
    ] {
        let own = Mover::Own(change(2));
        writes.records.insert(key, (record(key, life), own));
    }
    for key in [
        key(conflict::KIND_NUMBER, 13),
        key(set_aside::KIND_NUMBER, 14),
    ] {
        let item = record(key, Life::Alive);
        writes.records.insert(key, (item, Mover::Foreign));
    }
    let (item, note) = (RecordId::new([13; 16]), RecordId::new([14; 16]));
    writes.outcomes.insert((change(1), 0), Outcome::Lost(item));
    writes
        .outcomes
        .insert((change(1), 1), Outcome::Waiting(note));
    writes.waiting.insert(Waiting {
        for_record: key(person::KIND_NUMBER, 15),
        change: change(1),
        set_aside: note,
        until_heard: false,
    });
    let moved = (key(person::KIND_NUMBER, 10), OTHER);
    writes.joins.insert(moved);
    let mut later = Writes::default();
    later.leaves.insert(moved, Leaving::Transferred);
    [writes, later]
}

fn fill_hub(tx: Tx<'_>) -> Result<(), StoreError> {
    tx.set_setting("hub_node", &HUB.bytes())?;
    tx.insert_node(&Node::new(NODE, OFFICE, [0; 32]), 1)?;
    let journal = Journal {
        node: NODE,
        epoch: 1,
        received: 2,
        chain: [0; 32],
        decided_through: 2,
        is_kept_only: false,
        proven: Proven::default(),
    };
    tx.put_journal(&journal)?;
    let batch = Batch {
        last: 2,
        first: 1,
        received_at: 1,
        offset_ms: 0,
        raw_bytes: 0,
        bytes: Vec::new(),
        chain: [0; 32],
        signature: Vec::new(),
    };
    tx.append_batch(NODE, 1, &batch, &BTreeSet::new())?;
    let none: &[u8] = &[];
    for nonce in [[1_u8; 16], [2; 16], [3; 16]] {
        tx.add_greeting(NODE, 1, (none, nonce.as_slice()), 64)?;
    }
    for writes in decided() {
        tx.apply(&writes, 1)?;
    }
    let feed = format!("office/{OFFICE}");
    let shown = Acknowledged { sequence: 1, at: 1 };
    tx.acknowledge(NODE, 1, &feed, shown)?;
    tx.put_certificate(NODE, &feed, 1, &Digest::default(), (none, none), 1)?;
    tx.note_backup(("a", 1), &[journal], 1)?;
    let secret_hash = [4; 32];
    tx.insert_code(&Code {
        secret_hash,
        office: OFFICE,
        made_at: 1,
        expires_at: 2,
        must_confirm: false,
        confirmed_at: None,
        rejected_at: None,
        bound: None,
        node: None,
    })?;
    let bound = Bound {
        keys_hash: [5; 32],
        comparison: String::new(),
        machine: String::new(),
    };
    tx.bind_code(&secret_hash, &bound)?;
    tx.use_code(&secret_hash, NODE)?;
    let booked = Booked {
        block: BLOCK,
        node: NODE,
        epoch: 1,
        office: OFFICE,
        voided: None,
    };
    tx.put_lease(&booked, 1)
}

const BLOCK: Block = Block {
    issuer: RecordId::new([2; 16]),
    year: 2026,
    first: 1,
    end: 10,
    next: 2,
};

/// What is said after a statement, which is then taken back.
fn said_after(connection: &Connection, sql: &str, say: impl Fn(Tx<'_>) -> Vec<String>) -> String {
    connection
        .execute_batch(&format!("SAVEPOINT whole; {sql}"))
        .unwrap();
    let said = say(Tx::on(connection)).join("; ");
    connection
        .execute_batch("ROLLBACK TO whole; RELEASE whole")
        .unwrap();
    said
}

const AT_HUB: &[(&str, &str)] = &[
    (
        "UPDATE journal SET decided_through = received + 1",
        "a journal says",
    ),
    ("UPDATE journal SET kept_only = 2", "a journal says"),
    (
        "UPDATE journal SET history_chain = zeroblob(32)",
        "a journal says",
    ),
    (
        "UPDATE setting SET value = (SELECT node FROM journal); UPDATE journal SET decided_through = 1",
        "a journal says",
    ),
    ("DELETE FROM node", "a journal is nobody's"),
    ("UPDATE batch SET last = last + 1", "a run is behind"),
    ("DELETE FROM greeting WHERE number = 2", "greetings"),
    ("UPDATE greeting SET epoch = 2", "greetings"),
    (
        "UPDATE feed SET next_sequence = next_sequence + 1",
        "a feed's head",
    ),
    (
        "UPDATE feed SET released_through = next_sequence",
        "a feed's head",
    ),
    (
        "UPDATE feed SET restored_next = next_sequence + 1",
        "a feed's head",
    ),
    ("DELETE FROM feed_state", "a feed's head"),
    (
        "UPDATE feed_state SET sequence = sequence + 1000",
        "a feed is remembered",
    ),
    (
        "UPDATE feed_entry SET foreign_sequence = 0 WHERE own_node IS NULL",
        "an entry",
    ),
    (
        "UPDATE feed_entry SET foreign_sequence = sequence + 1",
        "an entry",
    ),
    (
        "UPDATE feed_entry SET own_sequence = 3 WHERE own_node IS NOT NULL",
        "an entry",
    ),
    (
        "UPDATE feed_entry SET own_epoch = NULL WHERE own_node IS NOT NULL",
        "an entry",
    ),
    (
        "UPDATE feed_entry SET left_reason = 3 WHERE left_reason = 1",
        "an entry",
    ),
    (
        "UPDATE feed_entry SET left_reason = 1 WHERE own_node IS NOT NULL",
        "an entry",
    ),
    (
        "UPDATE feed_entry SET feed = 'city' WHERE left_reason = 1",
        "an entry",
    ),
    (
        "UPDATE acknowledged SET sequence = 1000",
        "a node has acknowledged",
    ),
    ("UPDATE certificate SET sequence = 1000", "a certificate"),
    ("UPDATE backup_journal SET received = 3", "a backup"),
    ("DELETE FROM backup", "a backup"),
    (
        "UPDATE outcome SET target = zeroblob(16) WHERE state = 2",
        "an outcome",
    ),
    (
        "UPDATE outcome SET target = zeroblob(16) WHERE state = 4",
        "an outcome",
    ),
    (
        "UPDATE outcome SET target = zeroblob(28) WHERE state = 2",
        "an outcome",
    ),
    (
        "UPDATE waiting SET set_aside = zeroblob(16)",
        "a change waits",
    ),
    ("UPDATE waiting SET until_heard = 2", "a change waits"),
    ("UPDATE code SET office = zeroblob(16)", "a code"),
    ("UPDATE lease SET voided = 'revoked'", "a block"),
    ("UPDATE lease SET node = zeroblob(16)", "a block"),
    ("DELETE FROM tombstone", "a record is deleted"),
    (
        "INSERT INTO tombstone SELECT 2, id, 1 FROM person WHERE life = 1",
        "a record is deleted",
    ),
    (
        "UPDATE tombstone SET id = zeroblob(16)",
        "a record is deleted",
    ),
    ("UPDATE unknown_record SET life = 2", "a record is deleted"),
];

/// S16, D2: of what the hub keeps beside its rows a value is another one than was written. What is whole is content.
#[test]
fn what_the_hub_keeps_beside_its_rows_is_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub).unwrap();
    write_on(&mut connection, fill_hub).unwrap();
    let say = |tx: Tx<'_>| tx.broken_at_hub(3).unwrap();
    assert_eq!(said_after(&connection, "", say), "");
    for (sql, what) in AT_HUB {
        let said = said_after(&connection, sql, say);
        assert!(said.contains(what), "{sql}: {said:?}");
    }
}

/// S13, D2: an office is no part of a row's hash. A row that says another than before has never stood in that feed.
#[test]
fn a_row_that_says_another_office_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("hub.sqlite"), Side::Hub).unwrap();
    write_on(&mut connection, fill_hub).unwrap();
    let say = |tx: Tx<'_>| -> Vec<String> {
        let keys = tx.in_no_feed(3).unwrap();
        keys.iter().map(|key| key.kind.to_string()).collect()
    };
    assert_eq!(said_after(&connection, "", say), "");
    for (sql, kind) in [
        (
            "UPDATE person SET office = x'00000000000000000000000000000007'",
            "2; 2",
        ),
        (
            "UPDATE unknown_record SET office = x'02020202020202020202020202020206'",
            "60000",
        ),
        ("UPDATE unknown_record SET class = 5", "60000"),
        (
            "DELETE FROM feed_entry WHERE feed NOT LIKE '%03' AND kind = 2",
            "2; 2",
        ),
    ] {
        assert_eq!(said_after(&connection, sql, say), kind, "{sql}");
    }
}

fn fill_node(tx: Tx<'_>) -> Result<(), StoreError> {
    let (pending, leaves, stands) = (
        key(person::KIND_NUMBER, 10),
        key(person::KIND_NUMBER, 11),
        key(person::KIND_NUMBER, 12),
    );
    let entry = Entry {
        epoch: 1,
        sequence: 1,
        key: pending,
        raw: RawChange {
            header: vec![1],
            salt: [0; 16],
            body: vec![2],
            erased: None,
        },
        chain: [0; 32],
    };
    tx.append_entry(&entry, 1, Timestamp::at(1))?;
    let confirmed = record(pending, Life::Alive);
    tx.put_base_image(pending, Some(&confirmed))?;
    tx.keep_replaced(&record(stands, Life::Alive), "digest", 1)?;
    tx.note_leaving(leaves)?;
    tx.set_counted(stands, Some(("city", &[1; 32])))?;
    let reading = Reading {
        sequence: 5,
        whole_through: 4,
        ..Reading::default()
    };
    tx.put_reading("city", &reading)?;
    tx.keep_lease(&Leased {
        block: BLOCK,
        node: NODE,
        epoch: 1,
    })?;
    tx.set_setting("identity", &NODE.bytes())
}

const AT_NODE: &[(&str, &str)] = &[
    ("UPDATE pending SET sequence = 2", "a pending change"),
    ("UPDATE journal SET id = zeroblob(16)", "a pending change"),
    ("UPDATE journal SET kind = 3", "a pending change"),
    ("UPDATE pending SET is_waiting = 2", "a pending change"),
    ("DELETE FROM base_image", "no base image"),
    ("DELETE FROM pending", "no pending changes"),
    (
        "UPDATE leaving SET id = (SELECT id FROM counted)",
        "is to be erased",
    ),
    ("UPDATE leaving SET waits = 2", "a mark"),
    ("UPDATE feed SET whole_through = 6", "a feed was read"),
    ("UPDATE feed SET past_released = 3", "a feed was read"),
    ("UPDATE lease SET next = 0", "a block"),
    ("UPDATE lease SET end = 1", "a block"),
    (
        "UPDATE setting SET value = zeroblob(15)",
        "an identity cannot",
    ),
    (
        "INSERT INTO setting (name, value) VALUES ('former_identities', zeroblob(48))",
        "an identity cannot",
    ),
];

/// S16, D1: the same of what a node keeps.
#[test]
fn what_a_node_keeps_beside_its_rows_is_as_it_was_written() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node).unwrap();
    write_on(&mut connection, fill_node).unwrap();
    let say = |tx: Tx<'_>| tx.broken_at_node(3).unwrap();
    assert_eq!(said_after(&connection, "", say), "");
    for (sql, what) in AT_NODE {
        let said = said_after(&connection, sql, say);
        assert!(said.contains(what), "{sql}: {said:?}");
    }
}

/// S18, D1: a state that is kept beside a row is packed, and has no hash where no feed counts it.
#[test]
fn a_kept_state_that_is_no_state_of_its_record_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node).unwrap();
    write_on(&mut connection, fill_node).unwrap();
    let say = |tx: Tx<'_>| -> Vec<String> {
        let keys = tx.unsound_states(3).unwrap();
        keys.iter().map(|key| key.id.to_string()).collect()
    };
    assert_eq!(said_after(&connection, "", say), "");
    for (sql, found) in [
        ("UPDATE base_image SET state = x'00'", [10; 16]),
        (
            "UPDATE base_image SET state = (SELECT state FROM replaced)",
            [10; 16],
        ),
        ("UPDATE replaced SET id = zeroblob(16)", [0; 16]),
    ] {
        let found = RecordId::new(found).to_string();
        assert_eq!(said_after(&connection, sql, say), found, "{sql}");
    }
    // The class stands behind kind, record and office.
    let whole = "SELECT hex(state) FROM replaced";
    let whole: String = connection.query_row(whole, [], |row| row.get(0)).unwrap();
    let (head, rest) = whole.split_at(68);
    let (class, rest) = rest.split_at(2);
    assert_eq!(class, "01");
    let sql = format!("UPDATE replaced SET state = x'{head}02{rest}'");
    let found = RecordId::new([12; 16]).to_string();
    assert_eq!(said_after(&connection, &sql, say), found);
}
