//! What people do at an office.

use super::Work;

pub(super) const WORK: &[Work] = &[
    (
        "a person is entered",
        "",
        "0 add person name=新人 phone=13900000009 remarks=%",
    ),
    (
        "a member is entered",
        "",
        "0 add member name=新党员 id_number=350102197001020039 join_date=2020-07-01 category=full status=FULL residence_address=%",
    ),
    (
        "a volunteer is entered",
        "",
        "0 add volunteer person=$q remarks=%",
    ),
    ("a team is entered", "", "0 add team name=新队 remarks=%"),
    (
        "an activity is entered",
        "",
        "0 add activity title=新活动 kind=members_meeting held_date=2026-11-01 remarks=%",
    ),
    (
        "a service is entered",
        "",
        "0 add participation volunteer=$v activity=$a service_date=2026-11-01 content=%",
    ),
    ("a person is edited", "", "0 set $p remarks=%"),
    ("a member is edited", "", "0 set $m remarks=%"),
    ("a volunteer is edited", "", "0 set $v remarks=%"),
    ("an activity is edited", "", "0 set $a remarks=%"),
    (
        "fields that are judged together are edited",
        "",
        "0 set $p residence_address=% residence_code=1",
    ),
    (
        "one field is edited again and again",
        "",
        "x5 0 set $p remarks=%",
    ),
    ("a person is deleted", "", "0 delete $q"),
    (
        "a team is brought back",
        "0 delete $t\nquiet",
        "0 restore-record $t",
    ),
    (
        "a conflict comes up",
        "desk set person/$p remarks=%",
        "0 set $p remarks=%",
    ),
    (
        "a conflict is settled",
        "<in conflict>\nc: 0 conflicts",
        "0 settle $c --keep loser",
    ),
    (
        "two persons are merged",
        "<entered twice>\nquiet",
        "0 merge $w $w2",
    ),
    (
        "a merge is taken back",
        "<entered twice>\n0 merge $w $w2\nquiet",
        "0 unmerge $w",
    ),
    (
        "somebody signs in and out",
        "",
        "0 step $s sign_in sign_in=1793505600000\n0 step $s sign_out sign_in=1793505600000 sign_out=1793512800000 minutes=120",
    ),
    ("a death is recorded", "", "0 step $m record_death"),
    (
        "a table of persons is imported",
        "",
        "0 import person TABLES/persons.csv",
    ),
    (
        "a roster of members is imported",
        "",
        "0 import member TABLES/members.xlsx",
    ),
    (
        "twenty persons are entered",
        "",
        "x20 0 add person name=众人# remarks=%",
    ),
    (
        "an edit of a member who has left goes to a person",
        "<accepted>
        sync 1",
        "0 set $m remarks=%",
    ),
];
