//! What people do seldom: statuses of members, merges of members, what was set aside and is entered anew, other
//! values for a conflict, and a recovery that somebody ends.

use domain::machines::member_status;
use serde_json::Value;

use super::{Act, Done, Draw, Line, act_of, line_of, words};
use crate::simulation::chance::Chance;

/// How many acts of 1,000 are of this sort.
const PARTS: u64 = 120;

/// How many steps of 1,000 about hours somebody takes who has them himself.
const OWN: u64 = 150;

const AT_OFFICE: &[(u64, Act)] = &[
    (4, Act::Out),
    (4, Act::Letter),
    (6, Act::Status),
    (4, Act::Fix),
    (4, Act::Attendance),
    (2, Act::Third),
];

const AT_DESK: &[(u64, Act)] = &[
    (5, Act::Members),
    (3, Act::Apart),
    (5, Act::Status),
    (3, Act::Publicity),
    (3, Act::Third),
    (1, Act::EndRecovery),
];

/// Fields of which a person may type another value than the two that met.
const TYPED: &[&str] = &["remarks", "title", "residence_address", "work_unit"];
/// Kinds whose records have remarks, and that an office makes.
const REMARKED: &[&str] = &["person", "member", "volunteer", "team", "activity"];
/// Kinds whose records say why.
const REASONED: &[&str] = &["step", "participation", "attendance"];

/// How most members stand when they are registered.
const FULL: &[&str] = &["join_date=2019-07-01", "category=full", "status=FULL"];
/// And one of a few.
const PROBATIONARY: &[&str] = &[
    "join_date=2026-07-01",
    "category=probationary",
    "status=PROBATIONARY",
    "conversion_due=2027-07-01",
];

impl Draw<'_> {
    /// What is seldom done, if this is such an act. It draws from a stream of its own.
    pub(super) fn seldom(&self) -> Option<Act> {
        let mut chance = Chance::new(self.city.seed, "seldom", self.number);
        let acts = if self.office.is_some() {
            AT_OFFICE
        } else {
            AT_DESK
        };
        chance.happens(PARTS).then(|| act_of(acts, &mut chance))?
    }

    /// The status with which a member is registered.
    pub(super) fn standing(&self) -> &'static [&'static str] {
        let mut chance = Chance::new(self.city.seed, "probation", self.number);
        if chance.happens(150) {
            PROBATIONARY
        } else {
            FULL
        }
    }

    /// Something is decided about a member, besides his death.
    pub(super) async fn status(&mut self) -> Option<Line> {
        let member = self.pick("member").await?;
        let mut allowed = member_status::MACHINE.allowed(member["status"].as_str()?);
        allowed.retain(|event| *event != member_status::event::RECORD_DEATH);
        let event = *self.chance.one_of(&allowed)?;
        let mut line = self.for_whom(line_of(&["step", member["id"].as_str()?, event]));
        line.extend(line_of(words::DECIDED));
        line.extend(line_of(words::of_status(event)));
        Some((line, None))
    }

    /// Two persons of one office are one.
    pub(super) async fn merge(&mut self) -> Option<Line> {
        let kept = self.pick("person").await?;
        let mut others = self.all("person").await;
        others.retain(|other| other["id"] != kept["id"] && other["office"] == kept["office"]);
        others.retain(|other| other["alive"] == true && other["merged_into"].is_null());
        let other = self.chance.one_of(&others)?;
        let (kept, other) = (kept["id"].as_str()?, other["id"].as_str()?);
        Some((line_of(&["merge", kept, other]), None))
    }

    /// Somebody was registered twice, at two offices as a rule: one of the two members is kept.
    pub(super) async fn merge_members(&mut self) -> Option<Line> {
        let found = self.run(&line_of(&["duplicates"])).await.ok()?;
        let twice = found
            .as_array()?
            .iter()
            .filter_map(|one| one["members"].as_array());
        let twice: Vec<_> = twice.collect();
        let members = *self.chance.one_of(&twice)?;
        let kept = self.chance.one_of(members)?["id"].as_str()?;
        let mut others = members.iter().filter_map(|one| one["id"].as_str());
        let other = others.find(|other| *other != kept)?;
        Some((line_of(&["merge", kept, other]), None))
    }

    /// Two who were one record are two after all.
    pub(super) async fn unmerge(&mut self, kind: &str) -> Option<Line> {
        let mut merged = self.all(kind).await;
        merged.retain(|record| !record["merged_into"].is_null());
        let one = self.chance.one_of(&merged)?;
        Some((line_of(&["unmerge", one["id"].as_str()?]), None))
    }

    /// A person settles a conflict: one of the two values stands, or a third one.
    pub(super) async fn settle(&mut self, by_a_third: bool) -> Option<Line> {
        let items = self.run(&line_of(&["conflicts"])).await.ok()?;
        let mut items = items.as_array()?.clone();
        if by_a_third {
            let is_typed =
                |item: &Value| item["field"].as_str().is_some_and(|f| TYPED.contains(&f));
            items.retain(is_typed);
        }
        let item = self.chance.one_of(&items)?.clone();
        let third = format!("议定{}", self.number);
        let keep = if by_a_third {
            third.as_str()
        } else {
            *self.chance.one_of(&["winner", "loser"])?
        };
        let line = line_of(&["settle", item["id"].as_str()?, "--keep", keep]);
        Some((line, None))
    }

    /// What was set aside is entered again with another value.
    pub(super) async fn fix(&mut self) -> Option<Line> {
        let notes = self.run(&line_of(&["quarantine"])).await.ok()?;
        let mut notes = notes.as_array()?.clone();
        // Only the machine that entered it can, and a merge is made anew instead.
        let may_fix = |note: &Value| {
            let verb = note["holds"]["verb"].as_str();
            verb.is_some_and(|verb| !["merge", "unmerge"].contains(&verb))
        };
        notes.retain(may_fix);
        let note = self.chance.one_of(&notes)?.clone();
        let (kind, verb) = (
            note["holds"]["kind"].as_str()?,
            note["holds"]["verb"].as_str()?,
        );
        let mut line = line_of(&["quarantine", "fix", note["id"].as_str()?]);
        if REASONED.contains(&kind) {
            line.push("reason=已更正".to_owned());
        }
        if !REMARKED.contains(&kind) || !["create", "set"].contains(&verb) {
            return Some((line, None));
        }
        let token = self.token();
        line.push(format!("remarks={token}"));
        Some((line, Some(token)))
    }

    /// Somebody was at an activity, or came late; now and then it is said again, otherwise.
    pub(super) async fn attendance(&mut self) -> Option<Line> {
        let activity = format!("activity={}", self.pick_id("activity").await?);
        let member = format!("member={}", self.pick_id("member").await?);
        let states = ["state=late", "state=late", "state=present", "state=absent"];
        let state = *self.chance.one_of(&states)?;
        let token = self.token();
        let reason = format!("reason={token}");
        let mut line = line_of(&["add", "attendance", &activity, &member, state, &reason]);
        if self.chance.happens(300)
            && let Some(before) = self.pick_id("attendance").await
        {
            line.push(format!("corrects={before}"));
        }
        Some((line, Some(token)))
    }

    /// A step about hours, if the volunteer himself takes it: under a name that he has in one of his records as a
    /// person. It draws from a stream of its own, and no change says more than his name.
    pub(super) async fn under_own_name(&self, line: &[String]) -> Option<Done> {
        let place = (self.part << 32) + self.number;
        let mut chance = Chance::new(self.city.seed, "own hours", place);
        if !chance.happens(OWN) {
            return None;
        }
        let service = line.get(1)?;
        let services = self.all("participation").await;
        let service = services.iter().find(|one| one["id"] == *service)?;
        let volunteers = self.all("volunteer").await;
        let volunteer = volunteers
            .iter()
            .find(|one| one["id"] == service["volunteer"])?;
        let mut people = self.all("person").await;
        people.retain(|one| {
            let person = &volunteer["person"];
            one["id"] == *person || one["merged_into"] == *person
        });
        let name = chance.one_of(&people)?["name"].as_str()?;
        let line = [line_of(&["--actor", name]), line.to_vec()].concat();
        let answer = self.run(&line).await.map_err(|error| format!("{error:#}"));
        Some(Done {
            line,
            token: None,
            hand: None,
            answer,
        })
    }

    /// The hours of an office's volunteers hang on public notice before they count, or do not.
    pub(super) async fn publicity(&mut self) -> Option<Line> {
        let mut offices = self.all("organisation").await;
        offices.retain(|one| one["is_office"] == "1");
        let office = self.chance.one_of(&offices)?["id"].as_str()?;
        let name = self.name_of("organisation", office);
        let days = *self
            .chance
            .one_of(&["publicity_days=0", "publicity_days=3"])?;
        Some((line_of(&["set", &name, days]), None))
    }

    /// Whoever is not heard of is not waited for any longer.
    pub(super) async fn end_recovery(&mut self) -> Option<Done> {
        let status = self.run(&line_of(&["recovery", "status"])).await.ok()?;
        if status["recovering"] != true {
            return None;
        }
        let line = line_of(&["recovery", "end"]);
        let answer = self.run(&line).await.map_err(|error| format!("{error:#}"));
        Some(Done {
            line,
            token: None,
            hand: None,
            answer,
        })
    }
}
