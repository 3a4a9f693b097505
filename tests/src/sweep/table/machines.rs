//! What machines do: starts, first openings, backups, long absences.

use super::{PEOPLE, Scenario};

/// A scenario of machines: name, what is before, what is done.
type Machines = (&'static str, &'static str, &'static str);

const COLD: &[Machines] = &[
    (
        "an office's program ends and starts",
        "x3 0 add person name=前人# remarks=%",
        "restart 0\n0 add person name=后人 remarks=%",
    ),
    (
        "the hub's program ends and starts",
        "0 set $p remarks=%\nsync 0",
        "restart hub\nsync 0",
    ),
    (
        "everything starts anew",
        "0 set $p remarks=%",
        "restart hub\nrestart 0\nrestart 1\nquiet",
    ),
    ("a certificate is renewed", "pass 6048000", "sync 0"),
    (
        "certificates of everybody are renewed",
        "pass 6048000",
        "quiet\nquiet",
    ),
    (
        "an office comes back after a year",
        "x4 desk set person/$p remarks=%\npass 8640000\nsync 1\npass 8640000\nsync 1\npass 8640000\nsync 1\npass 8640000\nsync 1",
        "sync 0",
    ),
    (
        "an office comes back with much work after months",
        "x10 0 add person name=离线人# remarks=%\npass 8640000\nsync 1",
        "sync 0\nquiet",
    ),
    ("nothing has happened", "", "quiet"),
    (
        "an hour passes at the hub",
        "0 set $p remarks=%\nquiet",
        "pass 7300",
    ),
    (
        "numbers are leased",
        "<may issue letters>",
        "sync 0\nsync 0",
    ),
    (
        "a letter is issued by the office itself",
        "<may issue letters>\nquiet\n<reviewed>",
        "0 transfer step $z approve valid_days=30\nquiet",
    ),
    (
        "an office verifies and reports",
        "",
        "0 verify\n0 status\ndesk verify",
    ),
    (
        "an office makes a backup",
        "x3 0 add person name=前人# remarks=%",
        "0 backup OFFICE0/copy#.sqlite\n0 set $p remarks=%",
    ),
    (
        "the hub makes a backup",
        "0 set $p remarks=%\nsync 0",
        "desk backup HUB/copy#.backup\nsync 0",
    ),
    (
        "a backup makes the uplink durable",
        "0 set $p remarks=%\nsync 0\ndesk backup HUB/copy#.backup",
        "quiet",
    ),
    (
        "the hub is put back",
        "0 set $q remarks=%\nquiet\nback-up-hub\nx3 0 set $p remarks=%\nquiet",
        "restore-hub\nquiet",
    ),
    (
        "the hub is put back while an office is behind",
        "back-up-hub\n0 set $p remarks=%\nsync 0\n0 set $q remarks=%",
        "restore-hub\nquiet",
    ),
    (
        "the hub is put back and takes back its offices' work",
        "back-up-hub\n0 set $p remarks=%\n1 set $k remarks=%\nquiet\nrestore-hub",
        "quiet",
    ),
    (
        "a member who left is erased at the origin",
        "<accepted>\nsync 1\ndesk backup HUB/copy#.backup",
        "quiet\nquiet",
    ),
    (
        "what left is released",
        "<accepted>\nquiet\n<four hundred days>",
        "pass 1000000\nquiet\npass 7300\nquiet",
    ),
    (
        "a deleted record is released",
        "0 delete $q\nquiet\n<four hundred days>",
        "pass 1000000\nquiet\npass 7300\nquiet",
    ),
];

const FIRST: &[Machines] = &[
    (
        "a node's database is made",
        "desk office revoke {1}\nempty 1\nc: desk code {1} --address hub:7443",
        "init 1\njoin 1 $c\nsync 1",
    ),
    (
        "a node joins",
        "desk office revoke {1}\nempty 1\nc: desk code {1} --address hub:7443\ninit 1",
        "join 1 $c\nsync 1",
    ),
    (
        "a node joins with what it has written before",
        "desk office revoke {1}\nempty 1\nc: desk code {1} --address hub:7443\ninit 1\nx4 1 add person name=先来# remarks=%",
        "join 1 $c\nsync 1\nquiet",
    ),
    (
        "a new machine reads everything",
        "desk office revoke {1}\nempty 1\nc: desk code {1} --address hub:7443\ninit 1\njoin 1 $c",
        "sync 1",
    ),
    (
        "a node's database of an older program is opened",
        "",
        "older 0 team.place team.dissolved volunteer.service_types\nrestart 0\n0 add person name=新列 remarks=%",
    ),
    (
        "the hub's database of an older program is opened",
        "",
        "older hub team.place team.dissolved volunteer.service_types\nrestart hub\nsync 0",
    ),
];

const WARM: &[Machines] = &[
    (
        "an office's log is brought into its file by a checkpoint",
        "x45 0 add person name=满人# remarks=%",
        "x6 0 add person name=再来# remarks=%",
    ),
    (
        "an office's log is brought into its file by a checkpoint in a session",
        "x42 0 add person name=满人# remarks=%",
        "sync 0",
    ),
    (
        "the hub's log is brought into its file by a checkpoint",
        "x40 desk set person/$p remarks=%",
        "x8 desk set person/$p remarks=%",
    ),
    (
        "an office's checkpoint at its end",
        "x5 0 add person name=满人# remarks=%",
        "restart 0",
    ),
    (
        "the hub's checkpoint at its end",
        "x5 desk set person/$p remarks=%",
        "restart hub",
    ),
];

pub(super) fn scenarios() -> Vec<Scenario> {
    let made = |work: &[Machines], is_warm: bool, migrates: bool| {
        let make = |(name, before, lines): &Machines| Scenario {
            name: (*name).to_owned(),
            before: format!("{PEOPLE}\n{before}"),
            lines: (*lines).to_owned(),
            is_warm,
            migrates,
        };
        work.iter().map(make).collect::<Vec<_>>()
    };
    [
        made(COLD, false, false),
        made(FIRST, false, true),
        made(WARM, true, false),
    ]
    .concat()
}
