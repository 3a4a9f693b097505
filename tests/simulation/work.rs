//! What people do: command lines, drawn so that offices, copies and the desk collide.

mod again;
mod cases;
mod moving;
mod race;
mod seldom;
mod words;

use std::collections::BTreeSet;

pub use again::{begin_again, go_on};
pub use moving::moving;
pub use race::race;

use domain::change::Verb;
use domain::id::RecordId;
use domain::kinds;
use domain::machine::Machine;
use domain::machines::{activity, participation};
use domain::record::RecordKey;
use serde_json::Value;

use crate::simulation::chance::Chance;
use crate::simulation::city::{City, STREET};
use crate::simulation::oracle::{HAND, TOKEN};

/// Members of the city that several offices enter: so few that the same one is met often.
const PEOPLE: u64 = 12;
/// A kind that a newer program has, and a field of a known kind.
const NEWER_KIND: u16 = 9_999;
const NEWER_FIELD: u16 = 4_000;

/// Something that somebody did.
#[derive(Debug, Clone)]
pub struct Done {
    /// The command.
    pub line: Vec<String>,
    /// The words that stand in it and nowhere else, if it wrote any.
    pub token: Option<String>,
    /// The name under which it was done, and nothing else; none where no change says so.
    pub hand: Option<String>,
    /// What came of it: what was answered, or why not.
    pub answer: Result<Value, String>,
}

/// What can be done, and how often (parts of all at a place).
#[derive(Debug, Clone, Copy)]
enum Act {
    Member,
    Person,
    Volunteer,
    Team,
    Activity,
    Service,
    Life,
    Transfer,
    Batch,
    Step,
    ServiceStep,
    ActivityStep,
    Settle,
    Death,
    Merge,
    Unmerge,
    GiveUp,
    SetAside,
    Remarks,
    Together,
    Newer,
    Status,
    Out,
    Letter,
    Fix,
    Attendance,
    Third,
    Publicity,
    Members,
    Apart,
    EndRecovery,
}

const AT_OFFICE: &[(u64, Act)] = &[
    (16, Act::Member),
    (6, Act::Person),
    (3, Act::Volunteer),
    (2, Act::Team),
    (3, Act::Activity),
    (4, Act::Service),
    (9, Act::Life),
    (7, Act::Transfer),
    (1, Act::Batch),
    (22, Act::Step),
    (6, Act::ServiceStep),
    (3, Act::ActivityStep),
    (4, Act::Settle),
    (2, Act::Death),
    (3, Act::Merge),
    (1, Act::Unmerge),
    (1, Act::SetAside),
    (20, Act::Remarks),
    (5, Act::Together),
    (2, Act::Newer),
];

const AT_DESK: &[(u64, Act)] = &[
    (40, Act::Step),
    (6, Act::Settle),
    (3, Act::Death),
    (4, Act::Merge),
    (2, Act::Unmerge),
    (3, Act::GiveUp),
    (1, Act::Batch),
    (2, Act::SetAside),
    (30, Act::Remarks),
    (8, Act::Together),
];

/// Kinds whose records people delete, and bring back.
const DELETED: &[&str] = &[
    "person",
    "person",
    "person",
    "volunteer",
    "team",
    "activity",
];

/// Kinds whose remarks people write. Whose member has moved on may still write what it knew.
const WRITTEN: &[&str] = &[
    "person",
    "person",
    "person",
    "member",
    "volunteer",
    "team",
    "activity",
];

/// What is drawn before a command line stands.
struct Draw<'c> {
    city: &'c City,
    office: Option<usize>,
    /// The event's number.
    number: u64,
    /// Which part of the event it is, where several work in one.
    part: u64,
    /// Lines that were carried out.
    lines: u64,
    chance: Chance,
}

type Line = (Vec<String>, Option<String>);

/// Cases that somebody takes a step further at one go, at most.
const STEPS: u64 = 3;

/// Somebody works at an office, or at the desk.
pub async fn work(city: &City, office: Option<usize>, number: u64) -> Vec<Done> {
    let mut draw = Draw::new(city, office, (number, 0), "work");
    let acts = if office.is_some() { AT_OFFICE } else { AT_DESK };
    let act = draw.seldom().or_else(|| act_of(acts, &mut draw.chance));
    let (act, times) = match act {
        Some(Act::Newer) => return draw.newer_program().await.into_iter().collect(),
        Some(Act::EndRecovery) => return draw.end_recovery().await.into_iter().collect(),
        Some(Act::Step) => (Act::Step, 1 + draw.chance.below(STEPS)),
        Some(act) => (act, 1),
        None => return Vec::new(),
    };
    let mut done = Vec::new();
    for _ in 0..times {
        let Some((line, token)) = draw.line(act).await else {
            continue;
        };
        let own = match act {
            Act::ServiceStep => draw.under_own_name(&line).await,
            _ => None,
        };
        done.push(match own {
            Some(own) => own,
            None => draw.carry_out(line, token).await,
        });
    }
    done
}

/// Whether somebody can work there now.
fn is_open(city: &City, place: Option<usize>) -> bool {
    let (is_on, machine) = match place {
        Some(office) => {
            let office = &city.offices[office];
            (office.app.is_some(), &office.machine)
        }
        None => (city.hub.app.is_some(), &city.hub.machine),
    };
    is_on && !machine.is_asleep()
}

/// One of these acts, each as often as it says.
fn act_of(acts: &[(u64, Act)], chance: &mut Chance) -> Option<Act> {
    let mut left = chance.below(acts.iter().map(|(parts, _)| parts).sum());
    for (parts, act) in acts {
        if left < *parts {
            return Some(*act);
        }
        left -= parts;
    }
    None
}

/// One record of eight, the same ones wherever somebody looks.
fn is_busy(record: &Value) -> bool {
    let id = record["id"].as_str().unwrap_or_default();
    id.ends_with(['0', '8'])
}

/// Words of a command line.
fn line_of(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

impl<'c> Draw<'c> {
    /// What somebody draws at a place for a part of an event.
    fn new(
        city: &'c City,
        office: Option<usize>,
        (number, part): (u64, u64),
        purpose: &str,
    ) -> Self {
        Self {
            city,
            office,
            number,
            part,
            lines: 0,
            chance: Chance::new(city.seed, purpose, (part << 32) + number),
        }
    }
}

impl Draw<'_> {
    async fn run(&self, line: &[String]) -> anyhow::Result<Value> {
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        match self.office {
            Some(office) => self.city.at_office(office, &line).await,
            None => self.city.at_hub(&line).await,
        }
    }

    async fn carry_out(&mut self, line: Vec<String>, token: Option<String>) -> Done {
        let hand = self.hand();
        let named = [line_of(&["--actor", &hand]), line.clone()].concat();
        let answer = self.run(&named).await.map_err(|error| format!("{error:#}"));
        Done {
            line,
            token,
            hand: Some(hand),
            answer,
        }
    }

    /// The event and the part of it.
    fn place(&self) -> String {
        match self.part {
            0 => self.number.to_string(),
            part => format!("{}.{part}", self.number),
        }
    }

    fn token(&self) -> String {
        format!("{TOKEN}{}-", self.place())
    }

    /// The name under which the next line is carried out.
    fn hand(&mut self) -> String {
        self.lines += 1;
        format!("{HAND}{}-{}-", self.place(), self.lines)
    }

    /// All records of a kind that this place knows.
    async fn all(&self, kind: &str) -> Vec<Value> {
        let list = self.run(&line_of(&["list", kind, "--limit", "200"])).await;
        let list = list.ok().and_then(|list| list.as_array().cloned());
        list.unwrap_or_default()
    }

    /// A record of a kind that this place knows: mostly one of the few on which everybody works, so that
    /// office and desk, or two machines of an office, meet in it.
    async fn pick(&mut self, kind: &str) -> Option<Value> {
        let all = self.all(kind).await;
        let all: Vec<_> = all.iter().collect();
        let busy: Vec<_> = all
            .iter()
            .copied()
            .filter(|record| is_busy(record))
            .collect();
        let is_busy_wanted = self.chance.below(3) > 0 && !busy.is_empty();
        let from = if is_busy_wanted { busy } else { all };
        self.chance.one_of(&from).copied().cloned()
    }

    async fn pick_id(&mut self, kind: &str) -> Option<String> {
        let record = self.pick(kind).await?;
        Some(record["id"].as_str()?.to_owned())
    }

    fn name_of(&self, kind: &str, id: &str) -> String {
        match self.office {
            Some(_) => id.to_owned(),
            None => format!("{kind}/{id}"),
        }
    }

    async fn line(&mut self, act: Act) -> Option<Line> {
        let token = self.token();
        let remarks = format!("remarks={token}");
        match act {
            Act::Member => Some((self.new_member(), Some(token))),
            Act::Person => {
                let name = format!("name=人{}", self.number);
                Some((line_of(&["add", "person", &name, &remarks]), Some(token)))
            }
            Act::Volunteer => {
                let person = format!("person={}", self.pick_id("person").await?);
                let line = line_of(&["add", "volunteer", &person, &remarks]);
                Some((line, Some(token)))
            }
            Act::Team => {
                let name = format!("name=服务队{}", self.number);
                Some((line_of(&["add", "team", &name, &remarks]), Some(token)))
            }
            Act::Activity => Some((self.new_activity(), Some(token))),
            Act::Service => self.new_service().await,
            Act::Life => self.life().await,
            Act::Transfer => self.transfer().await,
            Act::Batch => self.batch().await,
            Act::Step => self.transfer_step().await,
            Act::ServiceStep => self.step("participation", &participation::MACHINE).await,
            Act::ActivityStep => self.step("activity", &activity::MACHINE).await,
            Act::Settle => self.settle(false).await,
            Act::Death => self.death().await,
            Act::Merge => self.merge().await,
            Act::Unmerge => self.unmerge("person").await,
            Act::SetAside => self.set_aside().await,
            Act::GiveUp => self.give_up().await,
            Act::Remarks => {
                let kind = *self.chance.one_of(WRITTEN)?;
                let id = self.pick_id(kind).await?;
                let name = self.name_of(kind, &id);
                Some((line_of(&["set", &name, &remarks]), Some(token)))
            }
            Act::Together => self.together().await,
            Act::Status => self.status().await,
            Act::Out => self.transfer_out().await,
            Act::Letter => Some((self.enter_letter(), None)),
            Act::Fix => self.fix().await,
            Act::Attendance => self.attendance().await,
            Act::Third => self.settle(true).await,
            Act::Publicity => self.publicity().await,
            Act::Members => self.merge_members().await,
            Act::Apart => self.unmerge("member").await,
            Act::Newer | Act::EndRecovery => None,
        }
    }

    /// One of the few people, so that two offices enter the same one.
    fn new_member(&mut self) -> Vec<String> {
        let who = self.chance.below(PEOPLE);
        let mut line = line_of(&["add", "member"]);
        line.push(format!("name=党员{who}"));
        line.push(format!("id_number={}", words::id_number(who)));
        line.push(format!("residence_address={}", self.token()));
        line.extend(line_of(self.standing()));
        line
    }

    fn new_activity(&mut self) -> Vec<String> {
        let title = format!("title=活动{}", self.number);
        let remarks = format!("remarks={}", self.token());
        let kinds = ["kind=volunteer", "kind=members_meeting"];
        let kind = self
            .chance
            .one_of(&kinds)
            .copied()
            .unwrap_or("kind=volunteer");
        line_of(&[
            "add",
            "activity",
            &title,
            kind,
            "held_date=2026-11-01",
            &remarks,
        ])
    }

    async fn new_service(&mut self) -> Option<Line> {
        let volunteer = format!("volunteer={}", self.pick_id("volunteer").await?);
        let activity = format!("activity={}", self.pick_id("activity").await?);
        let content = format!("content={}", self.token());
        let line = [
            "add",
            "participation",
            &volunteer,
            &activity,
            "service_date=2026-11-01",
            &content,
        ];
        Some((line_of(&line), Some(self.token())))
    }

    /// Somebody deletes a record, or brings one back that was deleted.
    async fn life(&mut self) -> Option<Line> {
        if self.chance.below(2) == 0 {
            let mut deleted = Vec::new();
            for kind in DELETED.iter().collect::<BTreeSet<_>>() {
                deleted.extend(self.all(kind).await);
            }
            deleted.retain(|record| record["alive"] == false);
            if let Some(record) = self.chance.one_of(&deleted) {
                let id = record["id"].as_str()?;
                return Some((line_of(&["restore-record", id]), None));
            }
        }
        let kind = *self.chance.one_of(DELETED)?;
        let id = self.pick_id(kind).await?;
        // What lives is brought back too, where nothing is deleted: that changes nothing.
        let verb = match self.chance.below(6) {
            0 => "restore-record",
            _ => "delete",
        };
        Some((line_of(&[verb, &id]), None))
    }

    async fn death(&mut self) -> Option<Line> {
        let member = self.pick_id("member").await?;
        Some((
            self.for_whom(line_of(&["step", &member, "record_death"])),
            None,
        ))
    }

    /// An organisation goes over into another, or is given up.
    async fn give_up(&mut self) -> Option<Line> {
        let gone = self.pick_id("organisation").await?;
        let name = self.name_of("organisation", &gone);
        if self.chance.happens(300) {
            return Some((line_of(&["set", &name, "state=abolished"]), None));
        }
        let successor = format!("successor={}", self.pick_id("organisation").await?);
        let line = line_of(&["set", &name, "state=merged", &successor]);
        Some((line, None))
    }

    /// Somebody deals with what was set aside.
    async fn set_aside(&mut self) -> Option<Line> {
        let items = self.run(&line_of(&["quarantine"])).await.ok()?;
        let item = self.chance.one_of(items.as_array()?).cloned()?;
        let id = item["id"].as_str()?;
        let verb = *self.chance.one_of(&["reject", "forward"])?;
        Some((line_of(&["quarantine", verb, id, "--why", "已核实"]), None))
    }

    /// Fields that are judged as one.
    async fn together(&mut self) -> Option<Line> {
        let id = self.pick_id("person").await?;
        let name = self.name_of("person", &id);
        let token = self.token();
        let line = match self.chance.below(3) {
            0 => {
                let address = format!("residence_address={token}");
                let code = format!("residence_code={}", self.number);
                line_of(&["set", &name, &address, &code])
            }
            1 => {
                let unit = format!("work_unit={token}");
                line_of(&["set", &name, &unit, "credit_code="])
            }
            _ => {
                let why = format!("id_unverified_reason={token}");
                let sources = ["id_source=spoken", "id_source=file", "id_source=id_card"];
                let source = self.chance.one_of(&sources).copied()?;
                line_of(&["set", &name, &why, source])
            }
        };
        Some((line, Some(token)))
    }

    fn for_whom(&self, mut line: Vec<String>) -> Vec<String> {
        if self.office.is_none() {
            line.extend(line_of(&["--as", STREET]));
        }
        line
    }

    /// A step that the state allows, mostly one that leads on, or now and then one that it does not.
    fn event(&mut self, machine: &Machine, state: &str) -> Option<&'static str> {
        if self.chance.happens(50) {
            return Some(self.chance.one_of(machine.transitions)?.event);
        }
        let mut allowed = machine.allowed(state);
        if self.chance.happens(850) {
            allowed.retain(|event| !words::ENDS.contains(event));
        }
        self.chance.one_of(&allowed).copied()
    }

    async fn step(&mut self, kind: &str, machine: &Machine) -> Option<Line> {
        let record = self.pick(kind).await?;
        let event = self.event(machine, record["state"].as_str()?)?;
        let mut line = line_of(&["step", record["id"].as_str()?, event]);
        line.extend(line_of(words::of_service(event)));
        Some((line, None))
    }

    /// What a newer program of the office writes: a kind and a field that these ones do not know.
    async fn newer_program(&mut self) -> Option<Done> {
        let office = self.office?;
        let token = self.token();
        let mut id = [0; 16];
        self.chance.fill(&mut id);
        let person = self.pick_id("person").await;
        let (key, verb, field) = if let Some(person) = person.filter(|_| self.chance.happens(600)) {
            let (kind, id) = (kinds::person::KIND_NUMBER, RecordId::parse(&person).ok()?);
            (RecordKey { kind, id }, Verb::Set, NEWER_FIELD)
        } else {
            let (kind, id) = (NEWER_KIND, RecordId::new(id));
            (RecordKey { kind, id }, Verb::Create, 1)
        };
        let values = vec![(field, token.clone().into_bytes())];
        let hand = self.hand();
        let written = self.city.write_raw(office, (key, verb), values, &hand);
        let written = written.await;
        Some(Done {
            line: line_of(&[
                "a newer program writes",
                &field.to_string(),
                &key.id.to_string(),
            ]),
            token: Some(token),
            hand: Some(hand),
            answer: written.map_err(|error| format!("{error:#}")),
        })
    }
}
