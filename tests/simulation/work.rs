//! What people do: command lines, drawn so that offices, copies and the desk collide.

mod words;

use domain::change::Verb;
use domain::id::RecordId;
use domain::kinds;
use domain::machine::{Actor, Machine};
use domain::machines::{activity, participation, transfer};
use domain::record::RecordKey;
use serde_json::Value;

use crate::simulation::chance::Chance;
use crate::simulation::city::{City, STREET, branch_of};

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
}

const AT_OFFICE: &[(u64, Act)] = &[
    (16, Act::Member),
    (6, Act::Person),
    (3, Act::Volunteer),
    (2, Act::Team),
    (3, Act::Activity),
    (4, Act::Service),
    (6, Act::Life),
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
    number: u64,
    chance: Chance,
}

type Line = (Vec<String>, Option<String>);

/// Cases that somebody takes a step further at one go, at most.
const STEPS: u64 = 3;

/// Somebody works at an office, or at the desk.
pub async fn work(city: &City, office: Option<usize>, number: u64) -> Vec<Done> {
    let mut draw = Draw {
        city,
        office,
        number,
        chance: Chance::new(city.seed, "work", number),
    };
    let acts = if office.is_some() { AT_OFFICE } else { AT_DESK };
    let (act, times) = match draw.act(acts) {
        Some(Act::Newer) => return draw.newer_program().await.into_iter().collect(),
        Some(Act::Step) => (Act::Step, 1 + draw.chance.below(STEPS)),
        Some(act) => (act, 1),
        None => return Vec::new(),
    };
    let mut done = Vec::new();
    for _ in 0..times {
        if let Some((line, token)) = draw.line(act).await {
            done.push(draw.carry_out(line, token).await);
        }
    }
    done
}

/// The desk changes a record of an office, which deletes it unseen.
pub async fn race(city: &City, office: usize, number: u64) -> Option<[Done; 2]> {
    let draw = |office| Draw {
        city,
        office,
        number,
        chance: Chance::new(city.seed, "work", number),
    };
    let (mut here, there) = (draw(Some(office)), draw(None));
    let kind = *here.chance.one_of(DELETED)?;
    let id = here.pick_id(kind).await?;
    let (name, remarks) = (
        there.name_of(kind, &id),
        format!("remarks={}", there.token()),
    );
    let line = line_of(&["set", &name, &remarks]);
    let set = there.carry_out(line, Some(there.token())).await;
    let deleted = here.carry_out(line_of(&["delete", &id]), None).await;
    Some([set, deleted])
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

impl Draw<'_> {
    fn act(&mut self, acts: &[(u64, Act)]) -> Option<Act> {
        let mut left = self.chance.below(acts.iter().map(|(parts, _)| parts).sum());
        for (parts, act) in acts {
            if left < *parts {
                return Some(*act);
            }
            left -= parts;
        }
        None
    }

    async fn run(&self, line: &[String]) -> anyhow::Result<Value> {
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        match self.office {
            Some(office) => self.city.at_office(office, &line).await,
            None => self.city.at_hub(&line).await,
        }
    }

    async fn carry_out(&self, line: Vec<String>, token: Option<String>) -> Done {
        let answer = self.run(&line).await.map_err(|error| format!("{error:#}"));
        Done {
            line,
            token,
            answer,
        }
    }

    fn token(&self) -> String {
        format!("token-{}-", self.number)
    }

    /// A record of a kind that this place knows: mostly one of the few on which everybody works, so that
    /// office and desk, or two machines of an office, meet in it.
    async fn pick(&mut self, kind: &str) -> Option<Value> {
        let list = self.run(&line_of(&["list", kind, "--limit", "200"])).await;
        let list = list.ok()?;
        let all: Vec<_> = list.as_array()?.iter().collect();
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
            Act::Batch => self.batch(),
            Act::Step => self.transfer_step().await,
            Act::ServiceStep => self.step("participation", &participation::MACHINE).await,
            Act::ActivityStep => self.step("activity", &activity::MACHINE).await,
            Act::Settle => self.settle().await,
            Act::Death => self.death().await,
            Act::Merge => self.merge().await,
            Act::Unmerge => {
                let id = self.pick_id("person").await?;
                Some((line_of(&["unmerge", &id]), None))
            }
            Act::SetAside => self.set_aside().await,
            Act::GiveUp => self.give_up().await,
            Act::Remarks => {
                let kind = *self.chance.one_of(WRITTEN)?;
                let id = self.pick_id(kind).await?;
                let name = self.name_of(kind, &id);
                Some((line_of(&["set", &name, &remarks]), Some(token)))
            }
            Act::Together => self.together().await,
            Act::Newer => None,
        }
    }

    /// One of the few people, so that two offices enter the same one.
    fn new_member(&mut self) -> Vec<String> {
        let who = self.chance.below(PEOPLE);
        let mut line = line_of(&["add", "member"]);
        line.push(format!("name=党员{who}"));
        line.push(format!("id_number={}", words::id_number(who)));
        line.push(format!("residence_address={}", self.token()));
        line.extend(line_of(&[
            "join_date=2019-07-01",
            "category=full",
            "status=FULL",
        ]));
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

    async fn life(&mut self) -> Option<Line> {
        let kind = *self.chance.one_of(DELETED)?;
        let id = self.pick_id(kind).await?;
        let verb = *self
            .chance
            .one_of(&["delete", "delete", "restore-record"])?;
        Some((line_of(&[verb, &id]), None))
    }

    fn some_office(&mut self) -> Option<String> {
        let to = usize::try_from(self.chance.below(self.city.size as u64)).ok()?;
        let branch = branch_of(to);
        Some(branch.get(..branch.len() - 2)?.to_owned())
    }

    async fn transfer(&mut self) -> Option<Line> {
        let member = self.pick_id("member").await?;
        let to = self.some_office()?;
        let mut line = line_of(&["transfer", "start", "--member", &member, "--to", &to]);
        line.extend(line_of(&[
            "to_unit=某支部",
            "addressee=某工委",
            "dues_paid_to=2026-10",
        ]));
        Some((line, None))
    }

    /// A whole branch goes over to another office.
    fn batch(&mut self) -> Option<Line> {
        let branch = format!("{}01", self.some_office()?);
        let to = self.some_office()?;
        let mut line = line_of(&["transfer", "batch", &branch, "--to", &to]);
        line.extend(line_of(words::BATCH));
        Some((line, None))
    }

    async fn settle(&mut self) -> Option<Line> {
        let items = self.run(&line_of(&["conflicts"])).await.ok()?;
        let item = self.chance.one_of(items.as_array()?).cloned()?;
        let keep = *self.chance.one_of(&["winner", "loser"])?;
        Some((
            line_of(&["settle", item["id"].as_str()?, "--keep", keep]),
            None,
        ))
    }

    async fn death(&mut self) -> Option<Line> {
        let member = self.pick_id("member").await?;
        Some((
            self.for_whom(line_of(&["step", &member, "record_death"])),
            None,
        ))
    }

    /// Two of the people are one.
    async fn merge(&mut self) -> Option<Line> {
        let (kept, other) = (self.pick_id("person").await?, self.pick_id("person").await?);
        let (kept, other) = (
            self.name_of("person", &kept),
            self.name_of("person", &other),
        );
        Some((line_of(&["merge", &kept, &other]), None))
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

    async fn transfer_step(&mut self) -> Option<Line> {
        let (case, event) = if self.chance.happens(200) {
            let case = self.pick("transfer").await?;
            let event = self.event(&transfer::MACHINE, case["state"].as_str()?)?;
            (case, event)
        } else {
            self.due().await?
        };
        let id = case["id"].as_str()?;
        let mut line = line_of(&["transfer", "step", id, event]);
        let branch = branch_of(self.city.office_of(self.office.unwrap_or(0)));
        let words = words::of_transfer(event).iter();
        line.extend(words.map(|word| word.replace('%', &branch)));
        Some((self.for_whom(line), None))
    }

    /// A case in which it is for this place to go on, and how: one that has come far rather than another.
    async fn due(&mut self) -> Option<(Value, &'static str)> {
        let own = self.own_office()?;
        let list = line_of(&["list", "transfer", "--limit", "200"]);
        let list = self.run(&list).await.ok()?;
        let mut due = Vec::new();
        for case in list.as_array()? {
            let roles: &[Actor] = match (self.office, case["office"] == *own) {
                (None, _) => &[Actor::Authority],
                (Some(_), true) => &[Actor::Owner],
                (Some(_), false) => &[Actor::Receiver],
            };
            let state = case["state"].as_str()?;
            let place = transfer::MACHINE.states.iter();
            let place = place.take_while(|known| known.code != state).count();
            for arrow in transfer::MACHINE.transitions {
                let is_theirs = arrow.by.iter().any(|role| roles.contains(role));
                let leads_on =
                    !words::ENDS.contains(&arrow.event) && !words::DETOURS.contains(&arrow.event);
                // A community's own committee admits nobody.
                let is_above = self.office.is_some() && arrow.event == "approve";
                if is_theirs && leads_on && !is_above && arrow.from.contains(&state) {
                    due.push((place, case.clone(), arrow.event));
                }
            }
        }
        let (one, other) = (self.chance.one_of(&due)?, self.chance.one_of(&due)?);
        let (_, case, event) = if one.0 < other.0 { other } else { one };
        Some((case.clone(), event))
    }

    /// The office at which this is, as lists name it.
    fn own_office(&self) -> Option<String> {
        let Some(office) = self.office else {
            return Some(String::new());
        };
        let app = self.city.offices.get(office)?.app.as_ref()?;
        let office = app.keys().ok()?.identity?.office;
        Some(RecordId::new(office).to_string())
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
        let written = self.city.write_raw(office, key, verb, values).await;
        Some(Done {
            line: line_of(&[
                "a newer program writes",
                &field.to_string(),
                &key.id.to_string(),
            ]),
            token: Some(token),
            answer: written.map_err(|error| format!("{error:#}")),
        })
    }
}
