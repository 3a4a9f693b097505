//! The hub's desk: its edits and steps are changes of the hub's own journal and are decided like any
//! other.

use domain::change::{Body, Change, FieldChange, Header, Verb};
use domain::clock::Timestamp;
use domain::decide::{self, Incoming, Verdict};
use domain::id::{DESK, RecordId};
use domain::kind::Class;
use domain::kinds::{self, step};
use domain::record::{Record, RecordKey};
use store::Tx;

use crate::app::App;
use crate::authority::Round;
use crate::error::HubError;
use crate::leases;

/// Fields by number, canonical bytes.
pub type Values = Vec<(u16, Vec<u8>)>;

/// Makes a record, or sets fields of one, as the desk.
///
/// # Errors
/// The store's own; what the rules refuse is the verdict.
pub fn edit(
    tx: Tx<'_>,
    app: &App,
    (key, verb): (RecordKey, Verb),
    values: Values,
    actor: &str,
    now_ms: u64,
) -> Result<Verdict, HubError> {
    refuse_while_recovering(tx)?;
    let shown = tx.record(key)?;
    let mut values = match (verb, &shown) {
        (Verb::Set, Some(shown)) => shown.with_whole_groups(values),
        _ => values,
    };
    values.sort_by_key(|(number, _)| *number);
    let body = Body {
        fields: values
            .into_iter()
            .map(|(number, value)| FieldChange {
                number,
                value,
                base: shown.as_ref().and_then(|record| record.version(number)),
            })
            .collect(),
        seen_revision: shown.as_ref().map_or(0, |record| record.revision),
        life_base: shown.as_ref().map(|record| record.life_version.change),
    };
    let class = shown.as_ref().map(|record| record.class);
    let declared = kinds::by_number(key.kind).map(|kind| kind.class);
    let class = class.or(declared).unwrap_or(Class::Shared);
    let header = header((key, verb), class, actor, now_ms);
    decide_own(tx, app, header, body, now_ms)
}

fn refuse_while_recovering(tx: Tx<'_>) -> Result<(), HubError> {
    if crate::recovery::is_recovering(tx)? {
        let why = "the hub was restored and still waits for its nodes: see recovery status";
        return Err(proto::status::CallRefused::NotAllowed(why).into());
    }
    Ok(())
}

fn header((key, verb): (RecordKey, Verb), class: Class, actor: &str, now_ms: u64) -> Header {
    Header {
        record: key.id,
        kind: key.kind,
        class,
        verb,
        timestamp: Timestamp::at(now_ms),
        actor: actor.to_owned(),
        group: None,
        tenure: None,
        clock_suspect: false,
        replaces: None,
    }
}

/// Says that a record is another's twin, or that it is not after all.
///
/// # Errors
/// As [`edit`].
pub fn merge(
    tx: Tx<'_>,
    app: &App,
    (twin, verb): (&Record, Verb),
    fields: Vec<FieldChange>,
    actor: &str,
    now_ms: u64,
) -> Result<Verdict, HubError> {
    refuse_while_recovering(tx)?;
    let body = Body {
        fields,
        seen_revision: twin.revision,
        life_base: Some(twin.life_version.change),
    };
    let header = header((twin.key, verb), twin.class, actor, now_ms);
    decide_own(tx, app, header, body, now_ms)
}

/// Takes a step as the desk, for an organisation.
///
/// # Errors
/// As [`edit`].
pub fn step(
    tx: Tx<'_>,
    app: &App,
    subject: RecordKey,
    (event, organisation): (&str, RecordId),
    args: Values,
    actor: &str,
    now_ms: u64,
) -> Result<Verdict, HubError> {
    let date = domain::checks::date::china_date_of(now_ms.cast_signed()).to_string();
    let mut values = vec![
        (step::SUBJECT_KIND, subject.kind.to_string().into_bytes()),
        (step::SUBJECT, subject.id.bytes().to_vec()),
        (step::EVENT, event.as_bytes().to_vec()),
        (step::ORGANISATION, organisation.bytes().to_vec()),
        (step::DATE, date.into_bytes()),
        (step::RECORDER, actor.as_bytes().to_vec()),
    ];
    let of_step = (subject, event);
    values.extend(leases::with_number(
        tx,
        app,
        of_step,
        organisation,
        args,
        now_ms,
    )?);
    let id = system::new_record_id().map_err(|error| store::StoreError::Disk(error.to_string()))?;
    let key = RecordKey {
        kind: step::KIND_NUMBER,
        id,
    };
    edit(tx, app, (key, Verb::Step), values, actor, now_ms)
}

fn decide_own(
    tx: Tx<'_>,
    app: &App,
    header: Header,
    body: Body,
    now_ms: u64,
) -> Result<Verdict, HubError> {
    let mut round = Round::new(tx, app, now_ms);
    let mut world = round.new_world(1)?;
    let received = tx
        .journal(app.own.node, app.own.epoch)?
        .map_or(0, |j| j.received);
    let change = Change {
        id: app.own.change(received + 1),
        header: header.clone(),
        body: body.clone(),
    };
    let incoming = Incoming {
        change: &change,
        office: DESK,
        received_ms: now_ms,
        offset_ms: 0,
        waited_in: None,
    };
    let verdict = round.with_facts(&mut world, |world| decide::decide(world, &incoming))?;
    round.finish(world.into_writes(), vec![(header, body)])?;
    Ok(verdict)
}
