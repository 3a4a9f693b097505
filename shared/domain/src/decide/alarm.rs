//! What the desk alone is told, and no office (`sync.md` 6).

use super::{change_bytes, effect};
use crate::id::{ChangeId, DESK, NodeId, OfficeId, derived_id};
use crate::kinds::{organisation, set_aside};
use crate::record::RecordKey;
use crate::world::World;

/// The reason of the note on too many claims.
const CLAIM_RATE: &str = "claim_rate";

/// Makes an urgent item of the desk's: a machine of an office has entered more ID numbers of people
/// whom other offices know than is ordinary (`count` in the window). It stands in no office's feed.
pub fn raise_claim_alarm(
    world: &mut World,
    (node, office): (NodeId, OfficeId),
    count: u64,
    now_ms: u64,
) {
    let name: [&[u8]; 2] = [&node.bytes(), &now_ms.to_be_bytes()];
    let key = RecordKey {
        kind: set_aside::KIND_NUMBER,
        id: derived_id("lianxin claim alarm 1", &name),
    };
    // No change: the item is about the machine.
    let change = ChangeId {
        node,
        epoch: 0,
        sequence: 0,
    };
    let detail = format!(
        "节点 {node} 24 小时内录入其他社区已有人员的证件号码 {count} 次,请核实 / node {node} entered \
         {count} ID numbers within 24 hours that other offices have: find out why"
    );
    let kind = organisation::KIND_NUMBER.to_string();
    let mut note = vec![
        (set_aside::SUBJECT_KIND, kind.into_bytes()),
        (set_aside::SUBJECT, office.bytes().to_vec()),
        (set_aside::CHANGE, change_bytes(change)),
        (set_aside::REASON, CLAIM_RATE.as_bytes().to_vec()),
        (set_aside::DETAIL, detail.into_bytes()),
        (set_aside::STATE, b"held".to_vec()),
        (set_aside::RECEIVED_AT, now_ms.to_string().into_bytes()),
        (set_aside::URGENT, b"1".to_vec()),
    ];
    note.sort_by_key(|(number, _)| *number);
    effect::create(world, key, DESK, &note, now_ms);
    world.adopt();
}
