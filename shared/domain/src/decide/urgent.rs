//! A decision about a member's Party status that a former holder sends late: the present holder and
//! the desk get it as an urgent task (`sync.md` 5). A death is applied instead, whoever reports it.

use super::Incoming;
use crate::id::{OfficeId, RecordId};
use crate::kinds::{member, set_aside, step};
use crate::machines::member_status::EVENTS;
use crate::record::RecordKey;
use crate::world::{Need, World};

/// Arguments of a step that the holder must know, with the words before them.
const TOLD: [(u16, &str); 8] = [
    (step::DATE, "办理日期"),
    (step::DECISION_NUMBER, "批准文号"),
    (step::DECISION_DATE, "批准日期"),
    (step::DECISION_BODY, "批准机关"),
    (step::REASON_CODE, "原因代码"),
    (step::REASON, "原因"),
    (step::UNTIL_DATE, "延长至"),
    (step::CONVERSION_DATE, "转正日期"),
];

/// What the note of such a change says besides, and the present holder.
pub(super) type Task = (Vec<(u16, Vec<u8>)>, Option<OfficeId>);

/// Makes an urgent task of such a change.
pub(super) fn task(world: &World, incoming: &Incoming<'_>) -> Result<Task, Need> {
    let change = incoming.change;
    let subject = change.value(step::SUBJECT);
    let Some(id) = subject.and_then(|bytes| RecordId::from_slice(bytes).ok()) else {
        return Ok((Vec::new(), None));
    };
    let key = RecordKey {
        kind: member::KIND_NUMBER,
        id,
    };
    let holder = world.record(key)?.map(|record| record.office);
    let text = |number| {
        let value = change
            .value(number)
            .and_then(|b| std::str::from_utf8(b).ok());
        value.filter(|value| !value.is_empty())
    };
    let event = text(step::EVENT).unwrap_or_default();
    let named = EVENTS.iter().find(|known| known.code == event);
    let mut told = vec![named.map_or(event, |known| known.zh).to_owned()];
    let arguments = TOLD
        .iter()
        .filter_map(|(number, word)| Some(format!("{word} {}", text(*number)?)));
    told.extend(arguments);
    let mut note = vec![
        (set_aside::SUBJECT_KIND, key.kind.to_string().into_bytes()),
        (set_aside::SUBJECT, id.bytes().to_vec()),
        (set_aside::URGENT, b"1".to_vec()),
        (set_aside::DETAIL, told.join(";").into_bytes()),
    ];
    if let Some(holder) = holder {
        note.push((set_aside::SUGGESTION_TO, holder.bytes().to_vec()));
    }
    Ok((note, holder))
}
