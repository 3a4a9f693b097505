//! What the hub does by rule when a day has come: letters expire, receipts are chased, a successor takes
//! over, and a change that has waited too long for a record goes to a person. Everything is a step or an edit of the
//! hub's own journal; missed days are made up for.

use domain::decide::{self, HUB_RECORDER, UNHEARD, Verdict};
use domain::kind::Kind;
use domain::kinds::{set_aside, transfer as case};
use domain::limits;
use domain::machines::transfer::{REPOINTED, event, state};
use domain::record::{Record, RecordKey};
use store::{Filter, Tx};

use crate::app::App;
use crate::authority::Round;
use crate::error::HubError;
use crate::{damaged, desk, leases, recovery};

/// Cases and notes that one tick looks at.
const DUE_MAX: usize = 10_000;

/// Carries out everything that is due; how many steps that was. A row that is damaged keeps nothing else from being
/// done.
///
/// # Errors
/// The store's own.
pub async fn tick(app: &App) -> Result<u64, HubError> {
    let own = app.clone();
    app.store
        .write::<_, HubError>(move |tx| {
            let now_ms = system::now_ms();
            if recovery::is_recovering(tx)? {
                if !tx.unreported()?.is_empty() {
                    return Ok(0);
                }
                // The last that was missing was revoked.
                if damaged::apart(tx, || recovery::end(tx, &own, now_ms))?.is_none() {
                    return Ok(0);
                }
            }
            crate::backup::look_after(tx)?;
            leases::void_revoked(tx, now_ms)?;
            let mut taken = 0;
            taken += repoint(tx, &own, now_ms)?;
            for subject in in_state(tx, state::IN_TRANSIT)? {
                let take = || take_due(tx, &own, &subject, now_ms);
                taken += u64::from(damaged::apart(tx, take)?.unwrap_or(false));
            }
            Ok(taken + decide_waiting(tx, &own, now_ms)?)
        })
        .await
}

/// Lets successors take over the open cases of organisations that are gone (`domain.md` 1.8); how many
/// cases that were.
///
/// # Errors
/// The store's own.
pub fn repoint(tx: Tx<'_>, app: &App, now_ms: u64) -> Result<u64, HubError> {
    let mut taken = 0;
    for state in REPOINTED {
        for subject in in_state(tx, state)? {
            let take_over = || take_over(tx, app, &subject, now_ms);
            taken += u64::from(damaged::apart(tx, take_over)?.unwrap_or(false));
        }
    }
    Ok(taken)
}

/// Lets a successor take over an open case, if there is one.
fn take_over(tx: Tx<'_>, app: &App, subject: &Record, now_ms: u64) -> Result<bool, HubError> {
    let round = Round::new(tx, app, now_ms);
    let mut world = round.new_world(0)?;
    let is_due = round.with_facts(&mut world, |world| decide::is_succeeded(world, subject))?;
    let acting = subject.reference(case::FROM_ORG);
    let Some(acting) = acting.filter(|_| is_due) else {
        return Ok(false);
    };
    let step = (event::REPOINT, acting);
    let verdict = desk::step(tx, app, subject.key, step, Vec::new(), HUB_RECORDER, now_ms)?;
    Ok(verdict == Verdict::Applied)
}

fn in_state(tx: Tx<'_>, state: &str) -> Result<Vec<Record>, HubError> {
    let filter = [
        Filter::Is(case::STATE, state.as_bytes().to_vec()),
        Filter::Alive,
    ];
    sound(tx, &case::KIND, &filter)
}

/// Records that meet the conditions and are as they were written; the others are noted.
fn sound(tx: Tx<'_>, kind: &'static Kind, filters: &[Filter]) -> Result<Vec<Record>, HubError> {
    let (sound, spoilt) = tx.list_sound(kind, filters, DUE_MAX)?;
    damaged::note(tx, &damaged::unnoted(tx, &spoilt)?)?;
    Ok(sound)
}

fn waiting() -> [Filter; 1] {
    [Filter::Is(set_aside::STATE, b"waiting".to_vec())]
}

/// Tries the steps that time brings; the machine's guards say which is due.
fn take_due(tx: Tx<'_>, app: &App, subject: &Record, now_ms: u64) -> Result<bool, HubError> {
    let today = domain::checks::date::china_date_of(now_ms.cast_signed()).to_string();
    let due = decide::due_event(subject, &today);
    let Some(step) = due.zip(subject.reference(case::FROM_ORG)) else {
        return Ok(false);
    };
    let verdict = desk::step(tx, app, subject.key, step, Vec::new(), HUB_RECORDER, now_ms)?;
    Ok(verdict == Verdict::Applied)
}

/// Decides what has waited and can be decided, and gives up what has waited for too long, the oldest first: what waited
/// behind it need not any more, and is decided; how many of both.
fn decide_waiting(tx: Tx<'_>, app: &App, now_ms: u64) -> Result<u64, HubError> {
    let mut taken = Round::new(tx, app, now_ms).decide_what_can_be()?;
    let mut notes = sound(tx, &set_aside::KIND, &waiting())?;
    notes.sort_by_key(|note| note.integer(set_aside::RECEIVED_AT));
    for note in notes {
        let hold = || give_up(tx, app, note.key, now_ms);
        if damaged::apart(tx, hold)?.unwrap_or(false) {
            taken += 1;
            if note.text(set_aside::REASON) == Some(UNHEARD) {
                taken += Round::new(tx, app, now_ms).decide_what_can_be()?;
            }
        }
    }
    Ok(taken)
}

/// A change that has waited for a record for 30 days is held for a person (`sync.md` 3, rule 6).
fn give_up(tx: Tx<'_>, app: &App, key: RecordKey, now_ms: u64) -> Result<bool, HubError> {
    let Some(note) = tx.record_as_written(key)? else {
        return Ok(false);
    };
    let since = note.integer(set_aside::RECEIVED_AT).unwrap_or(0);
    let has_waited = now_ms.saturating_sub(since.cast_unsigned());
    let still_waits = note.text(set_aside::STATE) == Some("waiting");
    if !still_waits || has_waited < limits::WAITING_MS_MAX {
        return Ok(false);
    }
    let mut round = Round::new(tx, app, now_ms);
    let mut world = round.new_world(0)?;
    round.with_facts(&mut world, |world| {
        decide::hold_for_a_person(world, key, now_ms)
    })?;
    round.finish(world.into_writes(), Vec::new())?;
    Ok(true)
}
