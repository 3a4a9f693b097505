//! Three offices and a hub, the shipped ones, that do only what they are told.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use domain::change::Verb;
use domain::decide::Verdict;
use domain::id::{ChangeId, OfficeId, RecordId, derived_id};
use domain::kinds::{self, member, person, step, transfer};
use domain::machines::transfer::{event, state};
use domain::record::RecordKey;
use lianxin_hub::error::HubError;
use lianxin_node::journal::{self, Values};
use store::Filter;
use store::writer::Store;

use super::super::steps::{Act, Case as OfModel, MEMBER, PERSON, Sent, Who};
use crate::simulation::chance::Chance;
use crate::simulation::city::{City, STREET};
use crate::simulation::disk;
use crate::simulation::net::End;
use crate::simulation::world::at;

/// Days that pass between the two days of the model: more than a letter is valid, and less than a change
/// waits.
const DAYS: u64 = 20;
const OFFICES: [Who; 3] = [Who::East, Who::West, Who::South];
/// In whose name offices write.
const WRITER: &str = "经办人";

/// The city.
pub(super) struct Town {
    pub(super) city: City,
    organisations: [OfficeId; 4],
}

/// What the records of one history are called.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    seed: u64,
}

impl Case {
    pub(super) const fn of(seed: u64) -> Self {
        Self { seed }
    }

    fn id(self, what: &[u8]) -> RecordId {
        derived_id("model history", &[&self.seed.to_be_bytes(), what])
    }

    pub(super) fn member(self) -> RecordKey {
        RecordKey {
            kind: member::KIND_NUMBER,
            id: self.id(b"member"),
        }
    }

    fn person(self) -> RecordKey {
        RecordKey {
            kind: person::KIND_NUMBER,
            id: self.id(b"person"),
        }
    }

    pub(super) fn case(self, case: OfModel) -> RecordKey {
        RecordKey {
            kind: transfer::KIND_NUMBER,
            id: self.id(&[case as u8]),
        }
    }
}

impl Town {
    pub(super) async fn found(seed: u64, root: &Path) -> anyhow::Result<Self> {
        let mut city = City::found(seed, root, OFFICES.len()).await?;
        for number in 0..OFFICES.len() {
            // Off, and on again without serving: sessions are held when the history says so.
            city.cut_office(number, &mut Chance::new(seed, "still", number as u64));
            tokio::time::sleep(Duration::from_secs(1)).await;
            open(&mut city, number)?;
        }
        let app = city.hub.app.clone().context("the hub is on")?;
        let codes = (1..=OFFICES.len()).map(|number| format!("{STREET}{number:03}"));
        let codes: Vec<_> = codes.chain([STREET.to_owned()]).collect();
        let named = app.store.read::<_, HubError>(move |tx| {
            let named = codes.iter().map(|code| tx.organisation_named(code));
            Ok(named.collect::<Result<Vec<_>, _>>()?)
        });
        let named: Option<Vec<_>> = named.await?.into_iter().collect();
        let named = named.context("the organisations")?;
        let organisations = named.try_into().ok().context("four of them")?;
        Ok(Self {
            city,
            organisations,
        })
    }

    pub(super) const fn organisation(&self, who: Who) -> OfficeId {
        match who {
            Who::East => self.organisations[0],
            Who::West => self.organisations[1],
            Who::South => self.organisations[2],
            Who::Street | Who::Hub => self.organisations[3],
        }
    }

    /// Who is meant by an organisation.
    pub(super) fn who(&self, organisation: OfficeId) -> Option<Who> {
        let mut all = [Who::East, Who::West, Who::South, Who::Street].into_iter();
        all.find(|who| self.organisation(*who) == organisation)
    }

    /// EAST's own record of the person, which the model has from the beginning.
    pub(super) async fn begin(&self, names: &Case) -> anyhow::Result<()> {
        let name = format!("陈{}", names.seed);
        let values = vec![(person::NAME, name.into_bytes())];
        let made = (names.person(), Verb::Create);
        self.city.write_raw(0, made, values, WRITER).await?;
        self.sync(Who::East).await
    }

    /// One session of an office; the desk has none.
    pub(super) async fn sync(&self, who: Who) -> anyhow::Result<()> {
        if OFFICES.contains(&who) {
            self.city.sync(who as usize).await?;
        }
        Ok(())
    }

    /// Everybody hears everything.
    pub(super) async fn bring_together(&self) -> anyhow::Result<()> {
        for who in OFFICES.into_iter().chain(OFFICES) {
            self.sync(who).await?;
        }
        Ok(())
    }

    pub(super) async fn days_pass(&self) -> anyhow::Result<()> {
        tokio::time::sleep(Duration::from_hours(24 * DAYS)).await;
        self.city.at_hub(&["tick"]).await?;
        Ok(())
    }

    /// What an office writes: by its program's commands, or, where these refuse, into its journal.
    pub(super) async fn write(
        &self,
        names: &Case,
        who: Who,
        act: Act,
        sent: &Sent,
    ) -> anyhow::Result<ChangeId> {
        let number = who as usize;
        if self.by_command(names, number, act, sent).await.is_err() {
            self.write_to_journal(names, number, act, sent).await?;
        }
        let app = self.city.offices[number].app.clone().context("on")?;
        let own = app.own;
        let head = app
            .store
            .read::<_, anyhow::Error>(move |tx| Ok(journal::head(tx, own)?.0));
        Ok(ChangeId {
            node: own.node,
            epoch: own.epoch,
            sequence: head.await?,
        })
    }

    async fn by_command(
        &self,
        names: &Case,
        number: usize,
        act: Act,
        sent: &Sent,
    ) -> anyhow::Result<()> {
        let member = names.member().id.to_string();
        let line = match act {
            Act::Edit => vec!["set".to_owned(), member, "duty=duty".to_owned()],
            Act::Death => {
                let words = ["step", &member, "record_death", "reason=reason"];
                words.map(str::to_owned).to_vec()
            }
            Act::Step(case, name) if name != event::CREATE => {
                let case = names.case(case).id.to_string();
                let mut line = ["transfer", "step", &case, name]
                    .map(str::to_owned)
                    .to_vec();
                line.extend(in_words(&self.arguments(names, sent)));
                line
            }
            // Their ids are known before they are made.
            _ => anyhow::bail!("no command gives a record an id"),
        };
        let line: Vec<_> = line.iter().map(String::as_str).collect();
        self.city.at_office(number, &line).await.map(drop)
    }

    async fn write_to_journal(
        &self,
        names: &Case,
        number: usize,
        act: Act,
        sent: &Sent,
    ) -> anyhow::Result<()> {
        let values = self.arguments(names, sent);
        let (subject, name) = match act {
            Act::Register | Act::Edit => {
                let verb = if act == Act::Register {
                    Verb::Create
                } else {
                    Verb::Set
                };
                let written = self
                    .city
                    .write_raw(number, (names.member(), verb), values, WRITER)
                    .await;
                return written.map(drop);
            }
            Act::Death => (names.member(), "record_death"),
            Act::Step(case, name) => (names.case(case), name),
            Act::Uphold | Act::Overrule | Act::GiveUp | Act::Succeed => {
                anyhow::bail!("offices do not do this")
            }
        };
        let office = &self.city.offices[number];
        let app = office.app.clone().context("on")?;
        let (own, name) = (app.own, name.to_owned());
        let write = async move {
            app.store
                .write::<_, anyhow::Error>(move |tx| {
                    journal::take_step(tx, own, subject, &name, values, "clerk")
                })
                .await
        };
        at(&office.machine, write).await.map(drop)
    }

    /// A step at the desk, for the street.
    pub(super) async fn at_desk(
        &self,
        names: &Case,
        act: Act,
        sent: &Sent,
    ) -> anyhow::Result<Verdict> {
        let (subject, name) = match act {
            Act::Death => (names.member(), "record_death"),
            Act::Uphold => (self.dispute(names, sent).await?, event::UPHOLD),
            Act::Overrule => (self.dispute(names, sent).await?, event::REVOKE),
            Act::Step(case, name) => (names.case(case), name),
            Act::Register | Act::Edit | Act::GiveUp | Act::Succeed => {
                anyhow::bail!("not of these histories")
            }
        };
        let app = self.city.hub.app.clone().context("on")?;
        let (values, street) = (self.arguments(names, sent), self.organisation(Who::Street));
        let step = async move {
            let own = app.clone();
            app.store
                .write::<_, HubError>(move |tx| {
                    let (by, now_ms) = ((name, street), system::now_ms());
                    lianxin_hub::desk::step(tx, &own, subject, by, values, "desk", now_ms)
                })
                .await
        };
        Ok(at(&self.city.hub.machine, step).await?)
    }

    /// The open dispute about the case that a ruling of the model is about.
    async fn dispute(&self, names: &Case, sent: &Sent) -> anyhow::Result<RecordKey> {
        let about = sent.about.context("a ruling is about a case")?;
        let case = OfModel::ALL.into_iter().find(|case| case.id() == about);
        let about = names.case(case.context("a case of the model")?).id;
        let filters = [
            Filter::Is(transfer::DISPUTES, about.bytes().to_vec()),
            Filter::Is(transfer::STATE, state::DISPUTED.as_bytes().to_vec()),
        ];
        let app = self.city.hub.app.clone().context("on")?;
        let open = app
            .store
            .read::<_, HubError>(move |tx| Ok(tx.list(&transfer::KIND, &filters, None, 1)?));
        Ok(open.await?.first().context("an open dispute")?.key)
    }

    /// What a change of the model says, in the names of this city.
    fn arguments(&self, names: &Case, sent: &Sent) -> Values {
        const OF_THE_STEP: [u16; 6] = [
            step::SUBJECT_KIND,
            step::SUBJECT,
            step::EVENT,
            step::ORGANISATION,
            step::DATE,
            step::RECORDER,
        ];
        let is_step = sent.change.header.kind == step::KIND_NUMBER;
        let fields = sent.change.body.fields.iter().filter(|field| {
            // The numbers of letters are the hub's to give.
            let is_given =
                field.number == step::LETTER_NUMBER || OF_THE_STEP.contains(&field.number);
            !(is_step && is_given)
        });
        let value = |value: &[u8]| {
            let id = RecordId::from_slice(value).ok()?;
            let offices = [Who::East, Who::West, Who::South, Who::Street];
            let office = offices.into_iter().find(|who| who.organisation() == id);
            let known = [(MEMBER.id, names.member().id), (PERSON, names.person().id)];
            let record = known.into_iter().find(|(of_model, _)| *of_model == id);
            let named = office.map(|who| self.organisation(who));
            Some(named.or(record.map(|(_, here)| here))?.bytes().to_vec())
        };
        fields
            .map(|field| {
                let named = value(&field.value).unwrap_or_else(|| field.value.clone());
                (field.number, named)
            })
            .collect()
    }
}

/// Values as a command line says them.
fn in_words(values: &Values) -> Vec<String> {
    let words = values.iter().filter_map(|(number, value)| {
        let field = kinds::by_number(step::KIND_NUMBER)?.field(*number)?;
        let text = match field.of {
            domain::kind::FieldType::Reference(_) => RecordId::from_slice(value).ok()?.to_string(),
            _ => String::from_utf8(value.clone()).ok()?,
        };
        Some(format!("{}={text}", field.name))
    });
    words.collect()
}

fn open(city: &mut City, number: usize) -> anyhow::Result<()> {
    let net = Arc::clone(&city.net);
    let office = city.offices.get_mut(number).context("an office")?;
    disk::power_on(&office.folder.to_string_lossy());
    office.machine.restart();
    let _here = system::within(Arc::clone(&office.machine) as Arc<dyn system::World>);
    let dial = End::new(net, number, office.folder.clone());
    let opened =
        lianxin_node::app::App::open_on(&office.folder, Store::open_on_caller, Arc::new(dial));
    office.app = Some(opened?);
    Ok(())
}
