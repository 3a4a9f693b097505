//! What the offices of the model write, and the change that each of them makes of it.
//!
//! EAST registers the member and is the origin of two cases, WEST receives one and is the origin of
//! the third, SOUTH receives the others, STREET may admit members and acts from the hub's desk, and
//! the hub takes the steps that fall due.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use domain::change::{Believed, Body, Change, FieldChange, Header, Verb};
use domain::clock::Timestamp;
use domain::decide::{HUB_RECORDER, change_bytes};
use domain::id::{ChangeId, DESK, NodeId, OfficeId, RecordId, derived_id};
use domain::kind::Class;
use domain::kinds::{member, organisation, step, transfer};
use domain::machine::Actor;
use domain::machines::transfer::event;
use domain::record::{Record, RecordKey};

use super::hub::Hub;

/// The hub's own journal.
pub const HUB: NodeId = NodeId::new([0xee; 16]);
/// The member whose relation moves.
pub const MEMBER: RecordKey = RecordKey {
    kind: member::KIND_NUMBER,
    id: RecordId::new([60; 16]),
};
/// EAST's own record of the person.
pub const PERSON: RecordId = RecordId::new([50; 16]);

/// The days of the model: the letters' last valid day lies between them.
const DATES: [&str; 2] = ["2026-11-18", "2026-12-18"];
/// Noon of the first day in China.
const FIRST_NOON: u64 = 1_794_974_400_000;
const THIRTY_DAYS: u64 = 30 * 24 * 3600 * 1000;

/// The hub's clock on a day of the model.
pub fn now_on(day: u8) -> u64 {
    FIRST_NOON + u64::from(day) * THIRTY_DAYS
}

/// Who writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// The origin.
    East,
    /// The receiver of the first case.
    West,
    /// The receiver of the others.
    South,
    /// The working committee that may admit members, at the hub's desk.
    Street,
    /// The hub by rule.
    Hub,
}

impl Who {
    pub const ALL: [Self; 5] = [Self::East, Self::West, Self::South, Self::Street, Self::Hub];

    /// The organisation for which it acts.
    pub const fn organisation(self) -> OfficeId {
        match self {
            Self::East => OfficeId::new([1; 16]),
            Self::West => OfficeId::new([2; 16]),
            Self::South => OfficeId::new([3; 16]),
            Self::Street | Self::Hub => OfficeId::new([4; 16]),
        }
    }

    /// The office of its certificate.
    pub const fn office(self) -> OfficeId {
        match self {
            Self::Street | Self::Hub => DESK,
            _ => self.organisation(),
        }
    }

    /// The place of its change in its journal.
    pub const fn change_id(self, sequence: u64) -> ChangeId {
        let (node, epoch) = match self {
            Self::Street => (HUB, 2),
            Self::Hub => (HUB, 3),
            _ => (NodeId::new(self.organisation().bytes()), 1),
        };
        ChangeId {
            node,
            epoch,
            sequence,
        }
    }

    /// In which roles it acts on a case; a successor stands for the receiver that is gone.
    pub fn roles(self, hub: &Hub, case: Case) -> Vec<Actor> {
        match self {
            Self::Street => vec![Actor::Authority],
            Self::Hub => vec![Actor::Hub],
            office if office == case.from() => vec![Actor::Owner],
            office if Some(office.organisation()) == hub.receiver(case) => vec![Actor::Receiver],
            _ => Vec::new(),
        }
    }
}

/// The cases that may be started for the member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Case {
    /// From EAST to WEST, started by EAST.
    First,
    /// From EAST to SOUTH, started at the desk for EAST.
    Rival,
    /// From WEST on to SOUTH, started by WEST.
    Onward,
    /// From WEST back to EAST, started by WEST.
    Back,
}

impl Case {
    pub const ALL: [Self; 4] = [Self::First, Self::Rival, Self::Onward, Self::Back];

    pub const fn id(self) -> RecordId {
        RecordId::new([70 + self as u8; 16])
    }

    pub const fn key(self) -> RecordKey {
        RecordKey {
            kind: transfer::KIND_NUMBER,
            id: self.id(),
        }
    }

    pub const fn from(self) -> Who {
        match self {
            Self::First | Self::Rival => Who::East,
            Self::Onward | Self::Back => Who::West,
        }
    }

    pub const fn to(self) -> Who {
        match self {
            Self::First => Who::West,
            Self::Rival | Self::Onward => Who::South,
            Self::Back => Who::East,
        }
    }
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// The member is registered.
    Register,
    /// A field of the member is edited by the office that registered him.
    Edit,
    /// The member's death is recorded.
    Death,
    /// A dispute is ruled on: the acceptance stands.
    Uphold,
    /// A dispute is ruled on: the acceptance is taken back.
    Overrule,
    /// WEST is given up; nobody stands for it.
    GiveUp,
    /// WEST goes up in SOUTH, which stands for it from now on.
    Succeed,
    /// A step of a case.
    Step(Case, &'static str),
}

const OF_ORIGIN: [&str; 6] = [
    event::SUBMIT,
    event::APPROVE_BRANCH,
    event::WITHDRAW,
    event::RECALL,
    event::REPORT_LOST,
    event::CONFIRM_RECEIPT,
];
const OF_RECEIVER: [&str; 5] = [
    event::OPEN_CHECK,
    event::ACCEPT,
    event::REFUSE,
    event::REPORT_LOST,
    event::SEND_RECEIPT,
];
const OF_STREET: [&str; 3] = [event::APPROVE, event::RECALL, event::REVOKE];

const OF_STREET_IF_GOING: [Act; 2] = [Act::GiveUp, Act::Succeed];

/// Everything that somebody may write about these cases; `may_go` where WEST may be given up.
pub fn acts(who: Who, cases: &[Case], may_go: bool) -> Vec<Act> {
    let mut acts = match who {
        Who::East => vec![Act::Register, Act::Edit, Act::Death],
        Who::West => vec![Act::Death],
        Who::Street => vec![Act::Death, Act::Uphold, Act::Overrule],
        Who::South | Who::Hub => Vec::new(),
    };
    if may_go && who == Who::Street {
        acts.extend(OF_STREET_IF_GOING);
    }
    for case in cases {
        let starter = if *case == Case::Rival {
            Who::Street
        } else {
            case.from()
        };
        if who == starter {
            acts.push(Act::Step(*case, event::CREATE));
        }
        let events: &[&'static str] = match who {
            Who::Street => &OF_STREET,
            Who::Hub if may_go => &[event::EXPIRE, event::REPOINT],
            Who::Hub => &[event::EXPIRE],
            office if office == case.from() => &OF_ORIGIN,
            office if office == case.to() || may_go => &OF_RECEIVER,
            // Somebody whom the case is no business of.
            _ => &[event::ACCEPT],
        };
        acts.extend(events.iter().map(|event| Act::Step(*case, event)));
    }
    acts
}

/// A change on its way to the hub.
#[derive(Debug, Clone)]
pub struct Sent {
    pub who: Who,
    pub act: Act,
    /// The day on which it was written.
    pub day: u8,
    /// The case that a ruling is about.
    pub about: Option<RecordId>,
    pub change: Arc<Change>,
}

/// What tells two changes apart.
type Essence = (Who, Act, u8, Option<RecordId>, Option<u32>, bool);

impl Sent {
    /// What tells two of them apart: not the place in the journal, which no decision reads.
    fn essence(&self) -> Essence {
        let header = &self.change.header;
        let is_based = self.change.body.fields.iter().any(|f| f.base.is_some());
        let tenure = header.tenure.map(|believed| believed.number);
        (self.who, self.act, self.day, self.about, tenure, is_based)
    }
}

impl PartialEq for Sent {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Eq for Sent {}

impl Hash for Sent {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.essence().hash(state);
    }
}

/// What somebody writes on a day, seeing the hub's records; none where there is nothing to name.
pub fn write(hub: &Hub, who: Who, act: Act, day: u8, sequence: u64) -> Option<Sent> {
    let id = who.change_id(sequence);
    let ruled = matches!(act, Act::Uphold | Act::Overrule).then(|| hub.first_dispute());
    let ruled = ruled.flatten();
    let change = match act {
        Act::Register => registration(id, day),
        Act::Edit => edit(hub, id, day),
        Act::GiveUp => going(
            hub,
            id,
            day,
            &[(organisation::STATE, b"abolished".to_vec())],
        ),
        Act::Succeed => {
            let south = Who::South.organisation().bytes().to_vec();
            let fields = [
                (organisation::STATE, b"merged".to_vec()),
                (organisation::SUCCESSOR, south),
            ];
            going(hub, id, day, &fields)
        }
        Act::Death => {
            let event = [(step::REASON, b"reason".to_vec())];
            a_step(id, who, MEMBER, "record_death", day, &event)
        }
        Act::Uphold => {
            let subject = ruled?.key;
            a_step(id, who, subject, event::UPHOLD, day, &decision())
        }
        Act::Overrule => {
            let subject = ruled?.key;
            a_step(id, who, subject, event::REVOKE, day, &decision())
        }
        Act::Step(case, name) if who == Who::Hub => {
            let rules = vec![(step::RECORDER, HUB_RECORDER.as_bytes().to_vec())];
            a_step(id, who, hub.record(case.key())?.key, name, day, &rules)
        }
        Act::Step(case, name) => {
            a_step(id, who, case.key(), name, day, &arguments(case, who, name))
        }
    };
    Some(Sent {
        who,
        act,
        day,
        about: ruled.and_then(|dispute| dispute.reference(transfer::DISPUTES)),
        change: Arc::new(change),
    })
}

/// The desk sets these fields of WEST, as it sees it.
fn going(hub: &Hub, id: ChangeId, day: u8, fields: &[(u16, Vec<u8>)]) -> Change {
    let key = RecordKey {
        kind: organisation::KIND_NUMBER,
        id: Who::West.organisation(),
    };
    let how = (Class::Reference, Verb::Set);
    let mut going = change(id, key, how, day, fields.to_vec());
    for field in &mut going.body.fields {
        field.base = hub.record(key).and_then(|west| west.version(field.number));
    }
    going
}

pub fn decision() -> Vec<(u16, Vec<u8>)> {
    vec![
        (step::DECISION_NUMBER, b"1".to_vec()),
        (step::DECISION_DATE, b"2026-11-18".to_vec()),
    ]
}

pub fn arguments(case: Case, who: Who, name: &str) -> Vec<(u16, Vec<u8>)> {
    let to = case.to().organisation().bytes().to_vec();
    match name {
        event::CREATE => vec![
            (step::MEMBER, MEMBER.id.bytes().to_vec()),
            (step::FROM_ORG, case.from().organisation().bytes().to_vec()),
            (step::TO_ORG, to),
            (step::VARIANT, b"in_province".to_vec()),
            (step::TO_UNIT, b"unit".to_vec()),
            (step::ADDRESSEE, b"addressee".to_vec()),
            (step::DUES_PAID_TO, b"2026-10".to_vec()),
        ],
        event::APPROVE => vec![
            (
                step::LETTER_NUMBER,
                format!("2026-{}", case as u8 + 1).into_bytes(),
            ),
            (step::VALID_DAYS, b"10".to_vec()),
        ],
        event::ACCEPT => vec![(step::TO_BRANCH, who.organisation().bytes().to_vec())],
        event::REVOKE => decision(),
        event::REFUSE | event::RECALL | event::REPORT_LOST => vec![
            (step::REASON_CODE, b"addressee_wrong".to_vec()),
            (step::REASON, b"reason".to_vec()),
            (step::APPROVER, b"approver".to_vec()),
        ],
        _ => Vec::new(),
    }
}

fn a_step(
    id: ChangeId,
    who: Who,
    subject: RecordKey,
    name: &str,
    day: u8,
    more: &[(u16, Vec<u8>)],
) -> Change {
    let mut fields = vec![
        (step::SUBJECT_KIND, subject.kind.to_string().into_bytes()),
        (step::SUBJECT, subject.id.bytes().to_vec()),
        (step::EVENT, name.as_bytes().to_vec()),
        (step::ORGANISATION, who.organisation().bytes().to_vec()),
        (step::DATE, DATES[usize::from(day)].as_bytes().to_vec()),
        (step::RECORDER, b"clerk".to_vec()),
    ];
    fields.retain(|(number, _)| more.iter().all(|(given, _)| given != number));
    fields.extend_from_slice(more);
    let key = RecordKey {
        kind: step::KIND_NUMBER,
        id: derived_id("model step", &[&change_bytes(id)]),
    };
    change(id, key, (Class::Ledger, Verb::Step), day, fields)
}

fn registration(id: ChangeId, day: u8) -> Change {
    let fields = vec![
        (member::PERSON, PERSON.bytes().to_vec()),
        (member::CATEGORY, b"full".to_vec()),
        (member::STATUS, b"FULL".to_vec()),
        (member::JOIN_DATE, b"2001-07-01".to_vec()),
    ];
    change(id, MEMBER, (Class::Held, Verb::Create), day, fields)
}

/// EAST edits the member as it sees him, believing in the tenure that it sees.
fn edit(hub: &Hub, id: ChangeId, day: u8) -> Change {
    let shown: Option<&Record> = hub.record(MEMBER);
    let fields = vec![(member::DUTY, b"duty".to_vec())];
    let mut edit = change(id, MEMBER, (Class::Held, Verb::Set), day, fields);
    for field in &mut edit.body.fields {
        field.base = shown.and_then(|record| record.version(field.number));
    }
    let number = shown.and_then(|record| record.integer(member::TENURE_NUMBER));
    edit.header.tenure = Some(Believed {
        number: number.and_then(|n| u32::try_from(n).ok()).unwrap_or(1),
        holder: Who::East.office(),
    });
    edit
}

/// A change with these values and no bases.
pub fn change(
    id: ChangeId,
    key: RecordKey,
    (class, verb): (Class, Verb),
    day: u8,
    mut fields: Vec<(u16, Vec<u8>)>,
) -> Change {
    fields.sort_by_key(|(number, _)| *number);
    let fields = fields.into_iter().map(|(number, value)| FieldChange {
        number,
        value,
        base: None,
    });
    Change {
        id,
        header: Header {
            record: key.id,
            kind: key.kind,
            class,
            verb,
            timestamp: Timestamp::at(now_on(day)),
            actor: "clerk".to_owned(),
            group: None,
            tenure: None,
            clock_suspect: false,
            replaces: None,
        },
        body: Body {
            fields: fields.collect(),
            ..Body::default()
        },
    }
}
