//! A row that is not as it was written stops what reads it, and nothing else; what it stops is stored, and goes on
//! when the row is mended.

use domain::limits;
use store::open::{Side, data_version, reader, writer};

use super::*;
use crate::damaged::ROW_DAMAGED;

impl Hub {
    /// A bit of a person's row turns over, or turns back.
    fn spoil(&self, number: u8, name: &str) {
        let spoiler = writer(&self.app.database(), Side::Hub).unwrap();
        let id = domain::id::hex(&person_key(number).id.bytes());
        let spoilt = format!("UPDATE person SET name = '{name}' WHERE id = x'{id}'");
        spoiler.execute_batch(&spoilt).unwrap();
    }

    fn noted(&self) -> u64 {
        let noted = self.write(|tx, _| Ok(tx.incidents()?));
        noted.get(ROW_DAMAGED).copied().unwrap_or(0)
    }

    /// What is stored of a machine of EAST is looked at again; how much of it was decided.
    fn look_again(&self, number: u8) -> u64 {
        let now = self.now;
        self.write(move |tx, app| decide_stored(tx, app, machine(EAST, number), 1, now))
    }

    /// What is due by rule is carried out.
    fn hour(&self) {
        self.runtime
            .block_on(crate::rules::tick(&self.app))
            .unwrap();
    }
}

/// The first person's record turned out to be the one of a person who has not come yet.
fn merged_into(number: u8) -> (Header, Body) {
    let (mut header, mut body) = set(0, Verb::Merge, &[]);
    header.verb = Verb::Merge;
    body.fields = vec![FieldChange {
        number: person::MERGED_INTO,
        value: person_key(number).id.bytes().to_vec(),
        base: None,
    }];
    (header, body)
}

/// S1, S18, L1: what is decided on a damaged row, and what its machine wrote afterwards, is stored and waits; other
/// machines' changes do not.
#[test]
fn what_reads_a_damaged_row_is_stored_and_decided_when_it_is_mended() {
    let mut hub = Hub::new();
    hub.spoil(0, "林二");
    let before = u64::from(BEFORE);
    let taken = hub.push(
        1,
        &[
            phone(1, "1", None),
            phone(0, "2", None),
            phone(2, "3", None),
        ],
    );
    assert_eq!(taken.journal.received, before + 3);
    assert_eq!(taken.journal.decided_through, before + 1);
    let taken = hub.push(1, &[phone(3, "4", None)]);
    assert_eq!(
        (taken.journal.received, taken.is_out_of_place),
        (before + 4, false)
    );
    hub.push(2, &[phone(3, "5", None)]);
    let phones = |hub: &Hub| [0, 1, 2, 3].map(|number| hub.text(number, person::PHONE));
    assert_eq!(phones(&hub), ["", "1", "", "5"]);
    assert_eq!(hub.noted(), 1, "once");
    let outside = reader(&hub.app.database()).unwrap();
    let seen = data_version(&outside).unwrap();
    assert_eq!(hub.look_again(1), 0);
    assert_eq!(
        data_version(&outside).unwrap(),
        seen,
        "who waits for commits would look again at once"
    );
    hub.spoil(0, "林一");
    assert_eq!(hub.look_again(1), 3);
    assert_eq!(phones(&hub), ["2", "1", "3", "5"]);
    assert_eq!(
        hub.left()[&("item".to_owned(), "open".to_owned())],
        1,
        "the fourth is kept"
    );
}

/// S1, L1: a change that waits and reads a damaged row goes on waiting, with what works on the same record; whoever
/// brings what it waits for is not stopped.
#[test]
fn what_waits_and_reads_a_damaged_row_stops_nobody() {
    let mut hub = Hub::new();
    let taken = hub.push(1, &[merged_into(8), phone(9, "1", None)]);
    assert_eq!(taken.verdicts.len(), 2);
    hub.spoil(0, "林二");
    let name = [(person::NAME, "林一".to_owned(), None)];
    let made = [set(8, Verb::Create, &name), set(9, Verb::Create, &name)];
    let taken = hub.push(2, &made);
    assert_eq!(taken.journal.decided_through, 2);
    assert_eq!(hub.text(9, person::PHONE), "1");
    assert_eq!((hub.waiting(), hub.noted()), (1, 1));
    hub.hour();
    assert_eq!((hub.waiting(), hub.noted()), (1, 1));
    hub.spoil(0, "林一");
    hub.hour();
    assert_eq!(hub.waiting(), 0);
    assert_ne!(hub.text(0, person::MERGED_INTO), "");
}

/// L1: a recovery goes on though what waits in it reads a damaged row; each machine's report is taken.
#[test]
fn no_report_is_stopped_by_a_damaged_row() {
    let mut hub = Hub::new();
    hub.recover();
    hub.push(1, &[phone(0, "1", None), phone(1, "2", None)]);
    assert_eq!(hub.waiting(), 2);
    hub.spoil(0, "林二");
    hub.hear(machine(WEST, 1));
    hub.hear(machine(SOUTH, 1));
    assert!(!hub.write(|tx, _| Ok(recovery::is_recovering(tx)?)));
    assert_eq!(hub.text(1, person::PHONE), "2");
    assert_eq!((hub.waiting(), hub.noted()), (1, 1));
    hub.spoil(0, "林一");
    hub.hour();
    assert_eq!(
        (hub.text(0, person::PHONE).as_str(), hub.waiting()),
        ("1", 0)
    );
}

impl Hub {
    /// Two changes to a person wait in a recovery, long since, and of the first the hub has lost the bytes.
    fn waits_behind_what_is_lost(&mut self) {
        self.recover();
        self.now -= 2 * limits::WAITING_MS_MAX;
        self.push(1, &[phone(0, "1", None)]);
        self.push(1, &[phone(0, "2", None)]);
        let spoiler = writer(&self.app.database(), Side::Hub).unwrap();
        let lost = format!(
            "UPDATE batch SET node = zeroblob(16) WHERE last = {}",
            BEFORE + 1
        );
        spoiler.execute_batch(&lost).unwrap();
    }

    fn all_are_heard(&self) {
        self.hear(machine(WEST, 1));
        self.hear(machine(SOUTH, 1));
    }
}

/// L1: what waits in a recovery behind a change that nobody has any more is decided when that is given up, however long
/// it has waited itself.
#[test]
fn what_waits_behind_a_change_that_is_given_up_is_decided() {
    let mut hub = Hub::new();
    hub.waits_behind_what_is_lost();
    hub.all_are_heard();
    let phone = |hub: &Hub| hub.text(0, person::PHONE);
    assert_eq!((phone(&hub).as_str(), hub.waiting()), ("", 2));
    hub.hour();
    assert_eq!((phone(&hub).as_str(), hub.waiting()), ("2", 0));
}

/// L1: where its machine has begun another epoch, that change does not come under its name, and nothing waits for it.
#[test]
fn nothing_waits_for_a_change_of_an_epoch_that_was_left() {
    let mut hub = Hub::new();
    hub.waits_behind_what_is_lost();
    hub.write(|tx, _| Ok(tx.add_greeting(machine(EAST, 1), 2, (&[], &[1; 16]), 4)?));
    hub.all_are_heard();
    assert_eq!(
        (hub.text(0, person::PHONE).as_str(), hub.waiting()),
        ("2", 1)
    );
}

/// L1: what is due by rule is done though a row that is due too is damaged.
#[test]
fn the_hour_goes_on_past_a_damaged_row() {
    let mut hub = Hub::new();
    hub.now -= 2 * limits::WAITING_MS_MAX;
    hub.push(1, &[phone(8, "1", None), phone(9, "2", None)]);
    let notes = |hub: &Hub, state: &str| {
        let found = hub.left();
        found.get(&("note".to_owned(), state.to_owned())).copied()
    };
    assert_eq!(notes(&hub, "waiting"), Some(2));
    let spoiler = writer(&hub.app.database(), Side::Hub).unwrap();
    let first = decide::set_aside_id(ChangeId {
        node: machine(EAST, 1),
        epoch: 1,
        sequence: u64::from(BEFORE) + 1,
    });
    let id = domain::id::hex(&first.bytes());
    let spoilt = format!("UPDATE set_aside SET reason = 'x' WHERE id = x'{id}'");
    spoiler.execute_batch(&spoilt).unwrap();
    hub.hour();
    assert_eq!(
        (notes(&hub, "waiting"), notes(&hub, "held")),
        (Some(1), Some(1))
    );
    assert_eq!(hub.noted(), 1);
}
