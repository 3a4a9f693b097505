//! What the model says of a member and its cases, and what the stores say, in the same words.

use anyhow::{Context as _, ensure};
use domain::id::{ChangeId, RecordId};
use domain::kinds::{member, set_aside, tenure, transfer};
use domain::record::{Record, RecordKey};
use domain::world::Outcome;
use lianxin_hub::error::HubError;
use store::{Filter, Tx};

use super::super::hub::Hub;
use super::super::steps::{Case, MEMBER, Who};
use super::city::{Case as Names, Town};

/// Cases that may dispute one, and tenures of one member: more than a history makes.
const MANY: usize = 64;

/// What is compared.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Seen {
    holder: Option<Who>,
    tenure: Option<i64>,
    status: Option<String>,
    open_case: Option<Case>,
    /// Each case that there is, with its state.
    cases: Vec<(Case, String)>,
    /// The disputes about each, by state.
    disputes: Vec<(Case, String)>,
    /// Number, holder, and whether it is open.
    tenures: Vec<(i64, Option<Who>, bool)>,
}

fn of_member(
    record: Option<&Record>,
    who: impl Fn(RecordId) -> Option<Who>,
    case: impl Fn(RecordId) -> Option<Case>,
) -> Seen {
    let Some(record) = record else {
        return Seen::default();
    };
    Seen {
        holder: record.reference(member::HOLDER).and_then(who),
        tenure: record.integer(member::TENURE_NUMBER),
        status: record.text(member::STATUS).map(str::to_owned),
        open_case: record.reference(member::OPEN_CASE).and_then(case),
        ..Seen::default()
    }
}

fn tenure_of(record: &Record, who: impl Fn(RecordId) -> Option<Who>) -> (i64, Option<Who>, bool) {
    (
        record.integer(tenure::NUMBER).unwrap_or(0),
        record.reference(tenure::HOLDER).and_then(who),
        record.value(tenure::CLOSED).is_none(),
    )
}

fn state_of(record: &Record) -> String {
    record.text(transfer::STATE).unwrap_or_default().to_owned()
}

/// What the model has.
pub(super) fn at_model(hub: &Hub) -> Seen {
    let who = |id| {
        let mut all = [Who::East, Who::West, Who::South, Who::Street].into_iter();
        all.find(|who| who.organisation() == id)
    };
    let case_of = |id| Case::ALL.into_iter().find(|case| case.id() == id);
    let mut seen = of_member(hub.record(MEMBER), who, case_of);
    for case in Case::ALL {
        seen.cases.extend(
            hub.record(case.key())
                .map(|record| (case, state_of(record))),
        );
    }
    for record in hub.of_kind(transfer::KIND_NUMBER) {
        let about = record.reference(transfer::DISPUTES).and_then(case_of);
        seen.disputes
            .extend(about.map(|case| (case, state_of(record))));
    }
    let tenures = hub.of_kind(tenure::KIND_NUMBER);
    seen.tenures
        .extend(tenures.map(|record| tenure_of(record, who)));
    sorted(seen)
}

fn sorted(mut seen: Seen) -> Seen {
    seen.disputes.sort();
    seen.tenures.sort();
    seen
}

/// What the hub's store has.
pub(super) async fn at_hub(town: &Town, names: &Names) -> anyhow::Result<Seen> {
    let app = town.city.hub.app.clone().context("the hub is on")?;
    let names = *names;
    let read = app
        .store
        .read::<_, HubError>(move |tx| read_all(tx, names))
        .await?;
    let (held, cases, disputes, tenures) = read;
    let who = |id| town.who(id);
    let case_of = |id| {
        let mut all = Case::ALL.into_iter();
        all.find(|case| names.case(*case).id == id)
    };
    let mut seen = of_member(held.as_ref(), who, case_of);
    seen.cases = cases;
    seen.disputes = disputes;
    seen.tenures
        .extend(tenures.iter().map(|record| tenure_of(record, who)));
    Ok(sorted(seen))
}

type Read = (
    Option<Record>,
    Vec<(Case, String)>,
    Vec<(Case, String)>,
    Vec<Record>,
);

fn read_all(tx: Tx<'_>, names: Names) -> Result<Read, HubError> {
    let about = |kind, field, id: RecordId| {
        let filter = [Filter::Is(field, id.bytes().to_vec())];
        tx.list(kind, &filter, None, MANY)
    };
    let (mut cases, mut disputes) = (Vec::new(), Vec::new());
    for case in Case::ALL {
        let key = names.case(case);
        cases.extend(tx.record(key)?.map(|record| (case, state_of(&record))));
        let found = about(&transfer::KIND, transfer::DISPUTES, key.id)?;
        disputes.extend(found.iter().map(|record| (case, state_of(record))));
    }
    let key = names.member();
    let tenures = about(&tenure::KIND, tenure::MEMBER, key.id)?;
    Ok((tx.record(key)?, cases, disputes, tenures))
}

/// Why the hub did not apply a change; empty where it did.
pub(super) async fn verdict(town: &Town, id: ChangeId) -> anyhow::Result<String> {
    let app = town.city.hub.app.clone().context("the hub is on")?;
    let said = app.store.read::<_, HubError>(move |tx| {
        let Some(outcome) = tx.outcome(id, 0)? else {
            return Ok(String::new());
        };
        let note = match outcome {
            Outcome::Waiting(_) => return Ok("waiting".to_owned()),
            Outcome::SetAside(note) => note,
            _ => return Ok(String::new()),
        };
        let key = RecordKey {
            kind: set_aside::KIND_NUMBER,
            id: note,
        };
        let note = tx.record(key)?;
        let reason = note.as_ref().and_then(|note| note.text(set_aside::REASON));
        Ok(reason.unwrap_or("no note").to_owned())
    });
    Ok(said.await?)
}

/// After all have heard all: the holder's office alone has the member, as the hub has it (S4, S13).
pub(super) async fn offices(town: &Town, names: &Names, hub: &Hub) -> anyhow::Result<()> {
    let key = names.member();
    let app = town.city.hub.app.clone().context("the hub is on")?;
    let there = app
        .store
        .read::<_, HubError>(move |tx| Ok(tx.record(key)?))
        .await?;
    for who in [Who::East, Who::West, Who::South] {
        let office = town.city.offices[who as usize].app.clone().context("on")?;
        let own = office
            .store
            .read::<_, anyhow::Error>(move |tx| Ok(tx.record(key)?))
            .await?;
        let is_in_feed = hub.feeds.contains(&(who.office(), MEMBER));
        ensure!(
            own.is_some() == is_in_feed,
            "{who:?} has the member: {}, the model: {is_in_feed}",
            own.is_some()
        );
        let is_same =
            own.is_none() || own.map(|own| own.hash()) == there.as_ref().map(Record::hash);
        ensure!(
            is_same,
            "{who:?} has another state of the member than the hub"
        );
    }
    Ok(())
}
