//! The records that every workload carries: invented persons with twelve fields, the same for the product and
//! for the floor.

use domain::change::{Body, FieldChange, Header, Verb};
use domain::clock::Timestamp;
use domain::id::RecordId;
use domain::kinds::person;
use lianxin_node::journal::Values;
use proto::wire::sync as wire;

use crate::generate::{Chance, Person};

/// Everything follows from it.
pub const SEED: u64 = 4;
/// The moment at which the first record was entered (milliseconds since 1970).
const ENTERED_MS: u64 = 1_793_500_000_000;
/// Whose name stands beside it.
const ACTOR: &str = "经办人";

/// The id of a record: as a node makes them, rising with time.
pub fn id(index: u64) -> RecordId {
    let mut bytes = [0; 16];
    let mut chance = Chance::of(7, index);
    bytes[..8].copy_from_slice(&((ENTERED_MS + index / 4) << 16).to_be_bytes());
    bytes[6..8].copy_from_slice(&(0x7000 | u16::try_from(index % 4096).unwrap_or(0)).to_be_bytes());
    bytes[8..].copy_from_slice(&(chance.below(u64::MAX >> 2) | 1 << 63).to_be_bytes());
    RecordId::new(bytes)
}

/// The values of the record with this index.
///
/// # Errors
/// Where a value is not one of its field.
pub fn values(seed: u64, index: u64) -> anyhow::Result<Values> {
    let who = Person::new(seed, index);
    let mut given = vec![
        format!("name={}", who.name),
        format!("sex={}", who.sex.zh()),
        format!("ethnicity={}", who.ethnicity),
        format!("birth_date={}", who.birth),
        format!("id_number={}", who.id_number),
        format!("education={}", who.education),
        format!("residence_address={}", who.address),
        format!("registered_address={}", who.address),
        "marital=已婚".to_owned(),
        format!("remarks=第{index}号"),
    ];
    for (name, value) in [("phone", who.phone.as_str()), ("work_unit", who.work_unit)] {
        if !value.is_empty() {
            given.push(format!("{name}={value}"));
        }
    }
    let none = |text: &str| anyhow::bail!("no organisation is named here: {text}");
    console::values::read_values(&person::KIND, &given, none, anyhow::Error::msg)
}

/// A change that enters the record, as the floor sends it: what the product sends too, but for its salt.
///
/// # Errors
/// As [`values`].
pub fn change(seed: u64, index: u64) -> anyhow::Result<wire::Change> {
    let header = Header {
        record: id(index),
        kind: person::KIND_NUMBER,
        class: person::KIND.class,
        verb: Verb::Create,
        timestamp: Timestamp::at(ENTERED_MS + index),
        actor: ACTOR.to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    };
    let field = |(number, value)| FieldChange {
        number,
        value,
        base: None,
    };
    let body = Body {
        fields: values(seed, index)?.into_iter().map(field).collect(),
        ..Body::default()
    };
    let raw = proto::convert::encode_change(&header, &body, [0; 16]);
    Ok(wire::Change {
        header: raw.header.into(),
        body: raw.body.into(),
        ..wire::Change::default()
    })
}
