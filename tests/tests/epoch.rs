//! A machine that was put back goes on in a new epoch.

use domain::change::Verb;
use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
use domain::kinds::person;
use domain::record::RecordKey;
use lianxin_node::app::Own;
use lianxin_node::journal;
use lianxin_node::rewrite::{self, LOOK_AT_FORMER};
use store::open::{Side, writer};
use store::writer::write_on;

/// S7: the places of the former epoch are other changes at the hub. What is entered after the new one was
/// opened stands on what was moved into it, and on nothing else.
#[test]
fn what_is_entered_in_a_new_epoch_stands_on_what_was_moved_into_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut connection = writer(&folder.path().join("node.sqlite"), Side::Node)?;
    let own = |epoch| Own {
        node: NodeId::new([1; 16]),
        epoch,
        office: OfficeId::new([2; 16]),
    };
    let key = RecordKey {
        kind: person::KIND_NUMBER,
        id: RecordId::new([3; 16]),
    };
    let name = vec![(person::NAME, "林一".as_bytes().to_vec())];
    let remark = |text: &str| vec![(person::REMARKS, text.as_bytes().to_vec())];
    let base = write_on(&mut connection, |tx| {
        own(1).keep(tx)?;
        journal::write(tx, own(1), (key, Verb::Create), name, "经办人")?;
        journal::write(tx, own(1), (key, Verb::Set), remark("before"), "经办人")?;
        // The hub has the first; its second is another.
        let moved = rewrite::open_epoch(tx, own(2), 0, &[(1, 1)])?;
        assert_eq!(moved, 1);
        // S1: a hub that was put back may have a copy's changes where this machine had acknowledged ones.
        let looks = tx.setting(LOOK_AT_FORMER)?.unwrap_or_default();
        assert!(
            !looks.is_empty(),
            "the epoch that is left is looked at again"
        );
        // A program that has not heard of the new epoch yet.
        journal::write(tx, own(1), (key, Verb::Set), remark("after"), "经办人")?;
        let entered = tx.last_entry(2)?.map(|entry| {
            let change = lianxin_node::fold::read(own(2), &entry)?;
            anyhow::Ok(change.body.fields.first().and_then(|field| field.base))
        });
        entered.transpose()
    })?;
    let moved = ChangeId {
        sequence: 1,
        epoch: 2,
        node: own(2).node,
    };
    assert_eq!(base.flatten(), Some(moved));
    Ok(())
}
