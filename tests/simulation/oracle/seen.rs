//! Reads what the hub and the offices hold, as plain lists for the reference model.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use domain::change::{Change, Verb};
use domain::decide::change_of_bytes;
use domain::id::{ChangeId, DESK, NodeId, RecordId};
use domain::kind::{Class, Kind, Winner};
use domain::kinds::{
    self, conflict, letter, member, merge, participation, person, set_aside, step, tenure,
    transfer, volunteer,
};
use domain::machines;
use domain::record::{Life, Record, RecordKey};
use store::Tx;

use crate::simulation::city::City;
use crate::simulation::reference::{
    Act, Hours, Id, Item, Key, Member, Name, OpenCase, Row, Seen, Service, Tenure, Wrote,
};

/// Steps by which somebody decides about hours. He may say of himself that he came and went.
const OF_HOURS: &[&str] = &["submit", "confirm", "uphold", "change"];

/// A change's name in the model.
pub fn id_of(id: ChangeId) -> Id {
    (Name(id.node.bytes()), id.epoch, id.sequence)
}

fn key_of(key: RecordKey) -> Key {
    (key.kind, Name(key.id.bytes()))
}

/// The record that a change is about.
pub fn key_of_change(change: &Change) -> Key {
    (change.header.kind, Name(change.header.record.bytes()))
}

fn row_of(record: &Record) -> Row {
    let fields = record.fields.iter();
    let fields = fields.map(|(n, state)| (*n, (state.value.clone(), id_of(state.version.change))));
    Row {
        key: key_of(record.key),
        office: Name(record.office.bytes()),
        class: match record.class {
            Class::Shared => 0,
            Class::Held => 1,
            Class::Ledger => 2,
            Class::Case => 3,
            Class::Reference => 4,
        },
        is_case: record.class == Class::Case,
        is_offices: !record.class.is_of_hub(),
        names: names_of(record),
        revision: record.revision,
        is_deleted: record.life == Life::Deleted,
        life: id_of(record.life_version.change),
        latest_ms: record
            .fields
            .values()
            .map(|state| state.version.ordered_at)
            .max()
            .unwrap_or(0),
        fields: fields.collect(),
    }
}

/// The records that a record names. A letter that was printed before its verdict may name a case that never was. The
/// desk is an office of which there is no record.
fn names_of(record: &Record) -> Vec<(u16, Key)> {
    let kind = kinds::by_number(record.key.kind);
    let references = kind.into_iter().flat_map(Kind::references);
    let is_void = |number: u16| record.key.kind == letter::KIND_NUMBER && number == letter::CASE;
    let named = references.filter(|(field, _)| !is_void(field.number));
    let named = named.filter_map(|(field, of)| {
        let id = record.reference(field.number).filter(|id| *id != DESK)?;
        Some((field.number, (of, Name(id.bytes()))))
    });
    named.collect()
}

fn member_of(record: &Record) -> Member {
    let named = |kind, field| Some((kind, Name(record.reference(field)?.bytes())));
    Member {
        key: key_of(record.key),
        holder: record.reference(member::HOLDER).map(|id| Name(id.bytes())),
        person: named(person::KIND_NUMBER, member::PERSON),
        case: named(transfer::KIND_NUMBER, member::OPEN_CASE),
    }
}

/// A member's transfer, while it is open. What is disputed stands beside the case that it disputes.
fn open_case_of(record: &Record) -> Option<OpenCase> {
    let state = record.text(transfer::STATE)?;
    let is_beside = state == machines::transfer::state::DISPUTED;
    let member = record.reference(transfer::MEMBER)?;
    let is_open = machines::transfer::MACHINE.is_open(state) && !is_beside;
    is_open.then(|| OpenCase {
        key: key_of(record.key),
        member: (member::KIND_NUMBER, Name(member.bytes())),
    })
}

/// A change as the model knows it; cases move by rules, which it does not reckon. What a merge names besides
/// the record that is kept stands in the other one, and is written into the kept one by the hub.
fn wrote_of(change: &Change, kept_only: &BTreeSet<(NodeId, u32)>) -> Wrote {
    let writes = !matches!(change.header.verb, Verb::Delete);
    let is_case = change.header.class == Class::Case;
    let only = match change.header.verb {
        Verb::Merge => kinds::merged_into(change.header.kind),
        _ => None,
    };
    let is_written = |number| only.is_none_or(|only| only == number);
    let fields = change.body.fields.iter();
    let fields = fields.filter(|field| !is_case && is_written(field.number));
    let fields = fields.map(|field| {
        let value = writes.then(|| field.value.clone());
        (field.number, value, field.base.map(id_of))
    });
    Wrote {
        id: id_of(change.id),
        key: key_of_change(change),
        fields: fields.collect(),
        act: match change.header.verb {
            Verb::Delete => Act::Deletes,
            Verb::Restore => Act::Restores,
            Verb::Merge => Act::Merges,
            _ => Act::Writes,
        },
        life_base: change.body.life_base.map(id_of),
        replaces: change.header.replaces.map(|(id, _)| id_of(id)),
        timestamp: change.header.timestamp.bits(),
        is_kept_only: kept_only.contains(&(change.id.node, change.id.epoch)),
    }
}

fn item_of(record: &Record) -> Item {
    let about = |kind, subject| {
        let kind = u16::try_from(record.integer(kind)?).ok()?;
        Some((kind, Name(record.reference(subject)?.bytes())))
    };
    let (about, versions, values) = match record.key.kind {
        conflict::KIND_NUMBER => (
            about(conflict::SUBJECT_KIND, conflict::SUBJECT),
            &[conflict::WINNER_VERSION, conflict::LOSER_VERSION][..],
            &[
                conflict::WINNER,
                conflict::LOSER,
                conflict::SETTLED_VALUE,
                conflict::NOTE,
            ][..],
        ),
        set_aside::KIND_NUMBER => (
            about(set_aside::SUBJECT_KIND, set_aside::SUBJECT),
            &[set_aside::CHANGE][..],
            &[set_aside::DETAIL][..],
        ),
        _ => (None, &[merge::VERSION][..], &[merge::BEFORE][..]),
    };
    let value = |number: &u16| record.value(*number).map(<[u8]>::to_vec);
    let named = |number: &u16| record.value(*number).and_then(change_of_bytes).map(id_of);
    Item {
        about,
        settled: (record.key.kind == conflict::KIND_NUMBER)
            .then(|| record.value(conflict::SETTLED_VALUE))
            .flatten()
            .map(<[u8]>::to_vec),
        names: versions.iter().filter_map(named).collect(),
        values: values.iter().filter_map(value).collect(),
        is_set_aside: record.key.kind == set_aside::KIND_NUMBER,
    }
}

/// The records that a note of a merge names: the merged one, and the one that stands for it.
fn joined_by(record: &Record) -> Option<(Key, Key)> {
    if record.key.kind != merge::KIND_NUMBER {
        return None;
    }
    let kind = u16::try_from(record.integer(merge::SUBJECT_KIND)?).ok()?;
    let of = |number| Some((kind, Name(record.reference(number)?.bytes())));
    Some((of(merge::MERGED)?, of(merge::KEPT)?))
}

/// What a record says of volunteers' hours. A name, and a person whom a volunteer names, count where they have stood
/// there from the record's beginning.
fn take_hours(hours: &mut Hours, record: &Record) {
    let key = key_of(record.key);
    let is_first = |field| record.version(field) == Some(record.life_version.change);
    let named = |kind, field| Some((kind, Name(record.reference(field)?.bytes())));
    match record.key.kind {
        participation::KIND_NUMBER => hours.services.extend(service_of(record)),
        step::KIND_NUMBER => {
            let is_of_hours = record.integer(step::SUBJECT_KIND)
                == Some(participation::KIND_NUMBER.into())
                && record
                    .text(step::EVENT)
                    .is_some_and(|event| OF_HOURS.contains(&event));
            let service = named(participation::KIND_NUMBER, step::SUBJECT).filter(|_| is_of_hours);
            let by = record.text(step::RECORDER).map(str::to_owned);
            hours.decided.extend(service.zip(by));
        }
        volunteer::KIND_NUMBER if is_first(volunteer::PERSON) => {
            let person = named(person::KIND_NUMBER, volunteer::PERSON);
            hours.people.extend(person.map(|person| (key, person)));
        }
        person::KIND_NUMBER if is_first(person::NAME) => {
            let name = record.text(person::NAME).map(str::to_owned);
            hours.called.extend(name.map(|name| (key, name)));
        }
        merge::KIND_NUMBER if record.text(merge::STATE) == Some("merged") => {
            let made = record.version(merge::STATE).map(id_of);
            hours.merged.extend(joined_by(record).zip(made));
        }
        _ => {}
    }
}

fn service_of(record: &Record) -> Option<Service> {
    let named = |kind, field| Some((kind, Name(record.reference(field)?.bytes())));
    let state = record.text(participation::STATE)?;
    Some(Service {
        key: key_of(record.key),
        volunteer: named(volunteer::KIND_NUMBER, participation::VOLUNTEER)?,
        time: (
            record.integer(participation::SIGN_IN)?,
            record.integer(participation::SIGN_OUT)?,
        ),
        timed_by: id_of(record.version(participation::SIGN_OUT)?),
        corrects: named(participation::KIND_NUMBER, participation::CORRECTS),
        is_counted: !["REJECTED", "VOID"].contains(&state),
        is_flagged: record.value(participation::OVERLAPS).is_some(),
    })
}

fn tenure_of(record: &Record) -> Tenure {
    let bytes = |number| record.value(number).map(<[u8]>::to_vec);
    Tenure {
        member: bytes(tenure::MEMBER).unwrap_or_default(),
        number: record.integer(tenure::NUMBER).unwrap_or(0).unsigned_abs(),
        holder: bytes(tenure::HOLDER).unwrap_or_default(),
        is_open: record.value(tenure::CLOSED).is_none(),
        // A letter from outside names nobody here who held him.
        is_by_case: record.value(tenure::OPENED_CASE).is_some()
            && record.text(tenure::OPENED_BY) != Some("acceptance_offline"),
        is_taken_apart: record.text(tenure::OPENED_BY) == Some("unmerge"),
        closed_to: bytes(tenure::CLOSED_TO),
    }
}

/// Everything at the hub, from changes that were read already.
///
/// # Errors
/// What cannot be read.
pub fn at_hub(tx: Tx<'_>, hub: NodeId, changes: &[Change]) -> anyhow::Result<Seen> {
    let journals = tx
        .journals()?
        .into_iter()
        .filter(|journal| journal.is_kept_only);
    let kept_only = journals
        .map(|journal| (journal.node, journal.epoch))
        .collect();
    let wrote = changes.iter().map(|change| wrote_of(change, &kept_only));
    let alone = kinds::ALL.iter().filter(|kind| kind.machine.is_none());
    let groups = alone.flat_map(|kind| {
        kind.together
            .iter()
            .map(|group| (kind.number, group.to_vec()))
    });
    let by_steps = kinds::ALL.iter().flat_map(|kind| {
        let fields = kind.fields.iter();
        let fields = fields.filter(|field| field.winner == Winner::Steps);
        fields.map(|field| (kind.number, field.number))
    });
    let mut seen = Seen {
        by_steps: by_steps.collect(),
        hub: Name(hub.bytes()),
        received_ms: received_ms(tx)?,
        groups: groups.collect(),
        wrote: wrote.collect(),
        ..Seen::default()
    };
    for record in records(tx)? {
        take_hours(&mut seen.hours, &record);
        match record.key.kind {
            conflict::KIND_NUMBER | set_aside::KIND_NUMBER | merge::KIND_NUMBER => {
                seen.items.push(item_of(&record));
                seen.joined.extend(joined_by(&record));
            }
            tenure::KIND_NUMBER => seen.tenures.push(tenure_of(&record)),
            member::KIND_NUMBER => seen.members.push(member_of(&record)),
            transfer::KIND_NUMBER => seen.open_cases.extend(open_case_of(&record)),
            _ => {}
        }
        seen.rows.insert(key_of(record.key), row_of(&record));
    }
    for change in changes {
        let (kind, id) = (change.header.kind, change.header.record);
        // Kinds that the hub does not know stand in no list.
        if let Some(record) = tx.record(RecordKey { kind, id })? {
            seen.rows.insert((kind, Name(id.bytes())), row_of(&record));
        }
        if tx.is_purged(id)? {
            seen.gone.insert(Name(id.bytes()));
        }
    }
    Ok(seen)
}

/// When the last change arrived in any journal.
fn received_ms(tx: Tx<'_>) -> anyhow::Result<u64> {
    let mut last = 0;
    for journal in tx.journals()? {
        for batch in tx.batches_from(journal.node, journal.epoch, 1, u32::MAX)? {
            last = last.max(batch.received_at);
        }
    }
    Ok(last)
}

fn records(tx: Tx<'_>) -> anyhow::Result<Vec<Record>> {
    let mut all = Vec::new();
    for kind in kinds::ALL {
        all.extend(tx.list(kind, &[], None, usize::MAX >> 1)?);
    }
    Ok(all)
}

/// Which records stand in which feed of the hub.
///
/// # Errors
/// The hub is off; what cannot be read.
pub async fn feeds(city: &City) -> anyhow::Result<BTreeMap<String, BTreeSet<Key>>> {
    let app = city.hub.app.as_ref().context("the hub is on")?;
    app.store
        .read::<_, anyhow::Error>(|tx| {
            let mut feeds = BTreeMap::new();
            for feed in tx.feed_names()? {
                let rows = tx.feed_rows(&feed)?;
                let keys = rows.iter().map(|(key, _)| key_of(*key)).collect();
                feeds.insert(feed, keys);
            }
            Ok(feeds)
        })
        .await
}

/// All records that an office has.
///
/// # Errors
/// The office is off; what cannot be read.
pub async fn at_office(
    city: &City,
    number: usize,
    known: BTreeSet<Key>,
) -> anyhow::Result<Vec<Row>> {
    let app = city.offices[number].app.as_ref().context("on")?;
    app.store
        .read::<_, anyhow::Error>(move |tx| {
            let mut rows: Vec<_> = records(tx)?.iter().map(row_of).collect();
            for (kind, Name(id)) in known {
                if kinds::by_number(kind).is_none() {
                    let key = RecordKey {
                        kind,
                        id: RecordId::new(id),
                    };
                    rows.extend(tx.record(key)?.as_ref().map(row_of));
                }
            }
            Ok(rows)
        })
        .await
}
