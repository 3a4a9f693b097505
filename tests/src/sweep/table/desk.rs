//! What the desk does.

use super::Work;

pub(super) const WORK: &[Work] = &[
    (
        "the desk edits a person",
        "",
        "desk set person/$p remarks=%",
    ),
    (
        "the desk edits a member",
        "",
        "desk set member/$m remarks=%",
    ),
    ("the desk edits a team", "", "desk set team/$t remarks=%"),
    (
        "the desk edits what an office has edited",
        "0 set $p remarks=%\nsync 0\n0 set $p remarks=%",
        "desk set person/$p remarks=%",
    ),
    (
        "the desk settles a conflict",
        "<in conflict>\nc: desk conflicts",
        "desk settle $c --keep loser",
    ),
    (
        "the desk merges a member who is held twice",
        "w: 0 add member name=子一 id_number=350102197001050094 join_date=2001-07-01 category=full status=FULL\nw2: 1 add member name=子一 id_number=350102197001050094 join_date=2001-07-01 category=full status=FULL\nquiet",
        "desk merge $w $w2",
    ),
    (
        "the desk merges two persons",
        "<entered twice>\nquiet",
        "desk merge $w $w2",
    ),
    (
        "the desk records a death",
        "",
        "desk step $m record_death --as 350102001",
    ),
    (
        "the desk adds an organisation's office",
        "",
        "desk office add {0b} 支部",
    ),
    (
        "an organisation may issue letters",
        "o: desk list organisation --where code={0}",
        "desk set organisation/$o can_admit_members=1",
    ),
    (
        "an organisation is merged into another",
        "",
        "desk org merge 35010200100202 --into {1b}",
    ),
    (
        "an organisation is given up",
        "",
        "desk org abolish 35010200100202 --successor {1b}",
    ),
    ("what is due today is done", "pass 7200", "desk tick"),
    ("a code is made", "", "c: desk code {1} --address hub:7443"),
    (
        "what was set aside is dealt with",
        "<reviewed>
        0 transfer step $z withdraw
        desk transfer step $z approve --as 350102001 valid_days=60
        quiet
        c: 0 quarantine",
        "0 quarantine forward $c --why 已核实",
    ),
];
