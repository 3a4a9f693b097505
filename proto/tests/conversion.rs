//! What is written reads back, what is unknown is kept, and what is broken is named.

#![allow(clippy::unwrap_used, reason = "a test that is wrong should stop")]

use std::collections::BTreeMap;

use domain::change::{Believed, Body, FieldChange, Group, Header, RawChange, Verb};
use domain::clock::Timestamp;
use domain::id::{ChangeId, NodeId, RecordId};
use domain::kind::Class;
use domain::record::{FieldState, Life, Record, RecordKey, Version};
use proptest::prelude::*;
use proto::convert::{
    FeedRow, Invalid, decode_batch, decode_change, decode_rows, encode_batch, encode_change,
    encode_rows,
};

fn change_id() -> impl Strategy<Value = ChangeId> {
    (any::<[u8; 16]>(), any::<u32>(), any::<u64>()).prop_map(|(node, epoch, sequence)| ChangeId {
        node: NodeId::new(node),
        epoch,
        sequence,
    })
}

fn header() -> impl Strategy<Value = Header> {
    (
        any::<[u8; 16]>(),
        any::<u16>(),
        any::<u64>(),
        "\\PC{0,40}",
        any::<bool>(),
        1u32..256,
    )
        .prop_map(|(record, kind, bits, actor, flag, size)| Header {
            record: RecordId::new(record),
            kind,
            class: if flag { Class::Held } else { Class::Shared },
            verb: if flag { Verb::Set } else { Verb::Create },
            timestamp: Timestamp::from_bits(bits),
            actor,
            group: flag.then_some(Group {
                id: RecordId::new(record),
                size,
            }),
            tenure: flag.then_some(Believed {
                number: size,
                holder: RecordId::new(record),
            }),
            clock_suspect: flag,
            replaces: None,
        })
}

fn body() -> impl Strategy<Value = Body> {
    let value = (
        prop::collection::vec(any::<u8>(), 0..40),
        prop::option::of(change_id()),
    );
    (
        prop::collection::btree_map(1u16.., value, 0..10),
        any::<u64>(),
    )
        .prop_map(|(fields, seen_revision)| Body {
            fields: fields
                .into_iter()
                .map(|(number, (value, base))| FieldChange {
                    number,
                    value,
                    base,
                })
                .collect(),
            seen_revision,
            life_base: None,
        })
}

proptest! {
    #[test]
    fn a_change_reads_what_it_writes(id in change_id(), header in header(), body in body()) {
        let raw = encode_change(&header, &body, [9; 16]);
        let read = decode_change(id, &raw).unwrap();
        prop_assert_eq!(read.header, header);
        prop_assert_eq!(read.body, body);
    }

    #[test]
    fn any_bytes_are_read_or_named_and_never_stop_the_program(bytes: Vec<u8>, raw: u32) {
        let change = RawChange { header: bytes.clone(), salt: [0; 16], body: bytes.clone(), erased: None };
        drop(decode_change(ChangeId::default(), &change));
        drop(decode_batch(&bytes, raw, 100));
        drop(decode_rows(&bytes, raw));
    }

    #[test]
    fn rows_read_what_they_write(id: [u8; 16], revision: u64, version in change_id(), value: Vec<u8>) {
        let version = Version { change: version, ordered_at: revision };
        let fields = BTreeMap::from([(7, FieldState { value, version })]);
        let row = FeedRow::State(Record {
            key: RecordKey { kind: 2, id: RecordId::new(id) },
            class: Class::Shared,
            office: RecordId::new(id),
            revision,
            life: Life::Alive,
            life_version: version,
            fields,
        });
        let (bytes, raw) = encode_rows(std::slice::from_ref(&row)).unwrap();
        prop_assert_eq!(decode_rows(&bytes, raw).unwrap(), vec![row]);
    }
}

#[test]
fn unknown_fields_of_a_newer_peer_stay_in_the_bytes() {
    // Field 9999, length-delimited, is none that this version knows.
    let mut header = encode_change(&sample_header(), &Body::default(), [1; 16]).header;
    header.extend_from_slice(&[0xfa, 0xf0, 0x04, 0x03, b'n', b'e', b'w']);
    let raw = RawChange {
        header: header.clone(),
        salt: [1; 16],
        body: Vec::new(),
        erased: None,
    };
    decode_change(ChangeId::default(), &raw).unwrap();
    let (packed, size) = encode_batch(&[raw]).unwrap();
    assert_eq!(
        decode_batch(&packed, size, 10)
            .unwrap()
            .first()
            .unwrap()
            .header,
        header
    );
}

#[test]
fn a_batch_that_unpacks_to_more_than_it_says_is_refused() {
    let zeros = vec![0u8; 3 * 1024 * 1024];
    let raw = RawChange {
        header: zeros,
        salt: [0; 16],
        body: Vec::new(),
        erased: None,
    };
    let (packed, _) = encode_batch(&[raw]).unwrap();
    assert!(packed.len() < 1024, "a bomb is small");
    assert_eq!(
        decode_batch(&packed, 100, 10),
        Err(Invalid::Malformed("compressed bytes"))
    );
    assert_eq!(
        decode_batch(&packed, u32::MAX, 10),
        Err(Invalid::TooLarge("raw bytes"))
    );
}

fn sample_header() -> Header {
    Header {
        record: RecordId::new([1; 16]),
        kind: 2,
        class: Class::Shared,
        verb: Verb::Create,
        timestamp: Timestamp::at(1),
        actor: "clerk".to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    }
}

#[test]
fn an_erased_change_travels_by_its_hash_and_is_no_empty_change() {
    let whole = encode_change(&sample_header(), &Body::default(), [7; 16]);
    let erased = whole.clone().without_body();
    let (packed, size) = encode_batch(std::slice::from_ref(&erased)).unwrap();
    let read = decode_batch(&packed, size, 10).unwrap();
    assert_eq!(read, std::slice::from_ref(&erased));
    assert_eq!(
        erased.body_hash(),
        whole.body_hash(),
        "the chain is the same"
    );
    assert!(decode_change(ChangeId::default(), &whole).is_ok());
    assert!(decode_change(ChangeId::default(), &erased).is_err());
}
