//! What a node's proof finds although the digests agree.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use domain::id::{ChangeId, RecordId};
use domain::kind::Class;
use domain::kinds::{person, transfer};
use domain::record::{Life, Record, RecordKey, Version};
use store::open::{Side, writer};
use store::writer::write_on;
use store::{StoreError, Tx};

fn record(kind: u16, class: Class) -> Record {
    Record {
        key: RecordKey {
            kind,
            id: RecordId::new([3; 16]),
        },
        class,
        office: RecordId::new([2; 16]),
        revision: 1,
        life: Life::Alive,
        life_version: Version {
            change: ChangeId::default(),
            ordered_at: 0,
        },
        fields: BTreeMap::new(),
    }
}

/// P8, S13: syncs that lied leave a case that the hub does not have, and no comparison would ever find it. What
/// an office has written itself may stand beside the feeds.
#[test]
fn a_row_that_only_the_hub_makes_and_no_feed_has_brought_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node).unwrap();
    let own = record(person::KIND_NUMBER, Class::Shared);
    let unknown_kind = 60_000;
    write_on::<_, StoreError>(&mut connection, |tx: Tx<'_>| {
        tx.write_record(&own)?;
        assert_eq!(tx.uncounted_of_hub()?, None);
        for kind in [transfer::KIND_NUMBER, unknown_kind] {
            let case = record(kind, Class::Case);
            tx.write_record(&case)?;
            assert_eq!(tx.uncounted_of_hub()?, Some(case.key));
            tx.set_counted(case.key, Some(("city", &case.hash())))?;
            assert_eq!(tx.uncounted_of_hub()?, None);
        }
        Ok(())
    })
    .unwrap();
}

/// S8: what is held of a record that no feed counts is found wherever it stands, and not what was entered here and no
/// hub has sent a state of.
#[test]
fn what_is_held_and_no_feed_counts_is_found_wherever_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node).unwrap();
    let row = record(person::KIND_NUMBER, Class::Shared);
    let kept = record(transfer::KIND_NUMBER, Class::Case);
    let unknown = record(60_000, Class::Case);
    write_on::<_, StoreError>(&mut connection, |tx: Tx<'_>| {
        assert_eq!(tx.held_uncounted()?, []);
        tx.write_record(&row)?;
        tx.keep_replaced(&kept, "digest", 1)?;
        tx.write_record(&unknown)?;
        let all: BTreeSet<_> = tx.held_uncounted()?.into_iter().collect();
        let keys = [&row, &kept, &unknown].map(|record| record.key);
        assert_eq!(all, BTreeSet::from(keys));
        assert!(tx.holds(row.key)? && tx.holds(kept.key)? && tx.holds(unknown.key)?);

        tx.set_counted(row.key, Some(("city", &row.hash())))?;
        tx.put_base_image(unknown.key, None)?;
        assert_eq!(tx.held_uncounted()?, [kept.key]);
        tx.put_base_image(unknown.key, Some(&unknown))?;
        assert_eq!(tx.held_uncounted()?.len(), 2);
        Ok(())
    })
    .unwrap();
}
