//! What an office can know by itself of a new record: that the hub would refuse its beginning.

use domain::decide::beginning_refusal;
use domain::id::ChangeId;
use domain::kind::Kind;
use domain::record::{Life, Record, RecordKey, Version};
use domain::world::{Fact, Membership, Need, World};
use domain::{kinds, machines};
use store::{Filter, StoreError, Tx};

use crate::app::Own;
use crate::journal::Values;

/// Records that name one record and are looked at: more than any has.
const NAMING_MAX: usize = 10_000;

/// Why the hub would refuse a record with these values, by what this office has: code, Chinese and
/// English; none where it may begin.
///
/// # Errors
/// The store's own.
pub fn refusal(
    tx: Tx<'_>,
    own: Own,
    (kind, key): (&'static Kind, RecordKey),
    values: &Values,
) -> Result<Option<(&'static str, String, String)>, StoreError> {
    let mut record = Record {
        key,
        class: kind.class,
        office: own.office,
        revision: 1,
        life: Life::Alive,
        life_version: Version::default(),
        fields: std::collections::BTreeMap::new(),
    };
    for (number, value) in values {
        record.set(*number, value.clone(), Version::default());
    }
    let today = domain::checks::date::china_date_of(system::now_ms().cast_signed());
    let mut world = World::new(ChangeId {
        node: own.node,
        epoch: own.epoch,
        sequence: 1,
    });
    let code = loop {
        match beginning_refusal(&world, &record, today) {
            Ok(code) => break code,
            Err(need) => world.supply(fact(tx, need)?),
        }
    };
    Ok(code.map(|code| {
        let (zh, en) = machines::plain_messages(code).unwrap_or_default();
        (code, zh, en)
    }))
}

/// What this office has of a fact; what only the hub keeps, no beginning asks for.
fn fact(tx: Tx<'_>, need: Need) -> Result<Fact, StoreError> {
    Ok(match need {
        Need::Record(key) => Fact::Record(key, tx.record_as_written(key)?),
        Need::Naming(kind, field, id) => {
            let names = [Filter::Is(field, id.bytes().to_vec())];
            let records = match kinds::by_number(kind) {
                Some(kind) => tx.list(kind, &names, None, NAMING_MAX)?,
                None => Vec::new(),
            };
            Fact::Naming(kind, field, id, records)
        }
        Need::Outcome(change, field) => Fact::Outcome(change, field, None),
        Need::OpenItems(id) => Fact::OpenItems(id, Vec::new()),
        Need::Standing(id) => Fact::Standing(id, Vec::new()),
        Need::Membership(id) => Fact::Membership(id, Membership::default()),
        Need::StepsOf(id) => Fact::StepsOf(id, Vec::new()),
        Need::Block(issuer, number) => Fact::Block(issuer, number, None),
    })
}
