//! What people do: command lines, drawn so that offices collide.

use domain::machines::transfer;
use serde_json::Value;

use crate::chance::Chance;
use crate::city::{City, STREET, branch_of};

/// Members of the city that several offices enter: so few that the same one is met often.
const PEOPLE: u64 = 12;

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

/// What a step of a transfer says; `%` stands for a branch of who takes it.
fn words_of(event: &str) -> &'static [&'static str] {
    const DECISION: [&str; 2] = [
        "decision_number=示组〔2026〕1号",
        "decision_date=2026-11-02",
    ];
    match event {
        "approve" | "approve_higher" => &["valid_days=60", "to_branch=%"],
        "accept" => &["to_branch=%"],
        "hold" => &["reason_code=file_incomplete"],
        "refuse" => &[
            "reason_code=addressee_wrong",
            "reason=抬头有误",
            "approver=审批人",
        ],
        "reissue" => &[
            "reason_code=member",
            "valid_days=60",
            "opinion=经查实",
            "approver=审查人",
        ],
        "enter_receipt" => &["received_date=2026-11-02"],
        "revoke" | "uphold" => &DECISION,
        "send_back" | "recall" | "report_lost" | "reject" | "dispute" => &["reason=有误"],
        _ => &[],
    }
}

/// What is drawn before a command line stands.
struct Draw<'c> {
    city: &'c City,
    office: Option<usize>,
    number: u64,
    chance: Chance,
}

/// Somebody works at an office, or at the desk.
pub async fn work(city: &City, office: Option<usize>, number: u64) -> Option<Done> {
    let mut draw = Draw {
        city,
        office,
        number,
        chance: Chance::new(city.seed, "work", number),
    };
    let (line, token) = draw.line().await?;
    let answer = draw.run(&line).await.map_err(|error| format!("{error:#}"));
    Some(Done {
        line,
        token,
        answer,
    })
}

impl Draw<'_> {
    async fn run(&self, line: &[String]) -> anyhow::Result<Value> {
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        match self.office {
            Some(office) => self.city.at_office(office, &line).await,
            None => self.city.at_hub(&line).await,
        }
    }

    fn token(&self) -> String {
        format!("token-{}-", self.number)
    }

    /// A record of a kind that this place knows.
    async fn pick(&mut self, kind: &str) -> Option<Value> {
        let line = ["list", kind, "--limit", "200"].map(str::to_owned);
        let list = self.run(&line).await.ok()?;
        self.chance.one_of(list.as_array()?).cloned()
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

    async fn line(&mut self) -> Option<(Vec<String>, Option<String>)> {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let token = self.token();
        let remarks = format!("remarks={token}");
        match self.chance.below(100) {
            0..20 if self.office.is_some() => Some((self.new_member(), Some(token))),
            20..28 if self.office.is_some() => {
                let name = format!("name=人{}", self.number);
                Some((words(&["add", "person", &name, &remarks]), Some(token)))
            }
            28..34 if self.office.is_some() => {
                let person = self.pick_id("person").await?;
                let life = ["delete", "restore-record"];
                let verb = self.chance.one_of(&life).copied()?;
                Some((words(&[verb, &person]), None))
            }
            34..40 if self.office.is_some() => {
                let member = self.pick_id("member").await?;
                let to = usize::try_from(self.chance.below(self.city.size as u64)).ok()?;
                let code = branch_of(to);
                let code = code.get(..code.len() - 2)?;
                let mut line: Vec<String> =
                    words(&["transfer", "start", "--member", &member, "--to", code]);
                line.extend(words(&[
                    "to_unit=某支部",
                    "addressee=某工委",
                    "dues_paid_to=2026-10",
                ]));
                Some((line, None))
            }
            40..68 => self.transfer_step().await,
            68..72 => {
                let items = self.run(&["conflicts".to_owned()]).await.ok()?;
                let item = self.chance.one_of(items.as_array()?).cloned()?;
                let keep = self.chance.one_of(&["winner", "loser"]).copied()?;
                Some((
                    words(&["settle", item["id"].as_str()?, "--keep", keep]),
                    None,
                ))
            }
            72..76 => {
                let member = self.pick_id("member").await?;
                let mut line: Vec<String> = words(&["step", &member, "record_death"]);
                if self.office.is_none() {
                    line.extend(["--as", STREET].map(str::to_owned));
                }
                Some((line, None))
            }
            _ => {
                let id = self.pick_id("person").await?;
                let name = self.name_of("person", &id);
                Some((words(&["set", &name, &remarks]), Some(token)))
            }
        }
    }

    /// One of the few people, so that two offices enter the same one.
    fn new_member(&mut self) -> Vec<String> {
        let who = self.chance.below(PEOPLE);
        let mut line: Vec<String> = vec!["add".to_owned(), "member".to_owned()];
        line.push(format!("name=党员{who}"));
        line.push(format!("id_number={}", id_number(who)));
        line.push(format!("residence_address={}", self.token()));
        for word in ["join_date=2019-07-01", "category=full", "status=FULL"] {
            line.push(word.to_owned());
        }
        line
    }

    /// A step that the state of a case allows, or now and then one that it does not.
    async fn transfer_step(&mut self) -> Option<(Vec<String>, Option<String>)> {
        let case = self.pick("transfer").await?;
        let allowed = transfer::MACHINE.allowed(case["state"].as_str()?);
        let all = transfer::MACHINE.transitions;
        let event = if self.chance.happens(900) {
            self.chance.one_of(&allowed).copied()?
        } else {
            self.chance.one_of(all)?.event
        };
        let id = case["id"].as_str()?;
        let mut line: Vec<String> = ["transfer", "step", id, event].map(str::to_owned).into();
        let branch = branch_of(self.city.office_of(self.office.unwrap_or(0)));
        line.extend(
            words_of(event)
                .iter()
                .map(|word| word.replace('%', &branch)),
        );
        if self.office.is_none() {
            line.extend(["--as", STREET].map(str::to_owned));
        }
        Some((line, None))
    }
}

/// An invented ID number with a right check digit (GB 11643).
fn id_number(who: u64) -> String {
    const WEIGHTS: [u64; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    let body = format!("350102197001{:02}{:03}", 1 + who % 28, 1 + 2 * who);
    let sum: u64 = body
        .bytes()
        .zip(WEIGHTS)
        .map(|(digit, weight)| u64::from(digit - b'0') * weight)
        .sum();
    let check = CHECKS[usize::try_from(sum % 11).unwrap_or(0)];
    format!("{body}{}", char::from(check))
}
