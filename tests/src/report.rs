//! `cargo sim report`: one page of what was proven, from the ledger, as Markdown and as HTML.

mod faults;
mod page;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use anyhow::Context as _;

use crate::museum;
use crate::proof::{self, Entry};
use faults::Fault;
use page::Page;

/// Where the page lies, and what was found by hand.
const MARKDOWN: &str = "shared/docs/proof.md";
const HTML: &str = "shared/docs/proof.html";
const FOUND: &str = "tests/proof/found.md";
/// The parts that write into the ledger.
const PARTS: [&str; 8] = [
    "seeds", "twice", "sweep", "model", "real", "foreign", "fuzz", "museum",
];
/// How often a fault is to be observed; where it happens in real processes.
const OFTEN: u64 = 100;
const OFTEN_REAL: u64 = 20;

/// Writes the page.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Writes it elsewhere (without the ending).
    #[arg(long)]
    out: Option<PathBuf>,
}

/// What the ledger says of one part, of what that part runs now.
#[derive(Debug, Default)]
struct Part {
    units: u64,
    seconds: f64,
    met: BTreeMap<String, u64>,
    violations: Vec<String>,
    commits: BTreeSet<String>,
}

/// Everything that the page tells.
struct Proof {
    parts: BTreeMap<&'static str, Part>,
    /// Units of what was run before the last change.
    former_units: u64,
    /// Wall time of the long runs (seconds).
    wall: f64,
}

/// Reads the ledger and writes the page; whether nothing was violated.
///
/// # Errors
/// Where the ledger cannot be read, git does not answer, or the page cannot be written.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let proof = Proof::read()?;
    let page = proof.page()?;
    let root = proof::root()?;
    let (markdown, html) = match &args.out {
        Some(out) => (out.with_extension("md"), out.with_extension("html")),
        None => (root.join(MARKDOWN), root.join(HTML)),
    };
    std::fs::write(&markdown, page.markdown())
        .with_context(|| format!("{} cannot be written", markdown.display()))?;
    std::fs::write(&html, page.html())
        .with_context(|| format!("{} cannot be written", html.display()))?;
    eprintln!("{} and {}", markdown.display(), html.display());
    Ok(proof.parts.values().all(|part| part.violations.is_empty()))
}

impl Proof {
    fn read() -> anyhow::Result<Self> {
        let mut parts: BTreeMap<_, _> = PARTS.iter().map(|part| (*part, Part::default())).collect();
        let mut identities = BTreeMap::new();
        for part in PARTS {
            identities.insert(part, proof::identity(part)?);
        }
        let bugs = museum::units(&proof::root()?)?;
        let (mut former_units, mut wall, mut seen) = (0, 0.0, BTreeSet::new());
        for entry in proof::read()? {
            if entry.part == "nightly" && Some(&entry.identity) == identities.get("seeds") {
                wall += entry.came.seconds;
            }
            let Some((name, identity)) = identities.get_key_value(entry.part.as_str()) else {
                continue;
            };
            let is_of_a_former_bug = entry.part == "museum" && !bugs.contains(&entry.unit);
            if entry.identity != *identity || is_of_a_former_bug {
                former_units += 1;
            } else if seen.insert((entry.part.clone(), entry.unit.clone()))
                && let Some(part) = parts.get_mut(name)
            {
                part.add(entry);
            }
        }
        Ok(Self {
            parts,
            former_units,
            wall,
        })
    }

    fn met(&self, part: &str, what: &str) -> u64 {
        let part = self.parts.get(part);
        part.and_then(|part| part.met.get(what))
            .copied()
            .unwrap_or(0)
    }

    /// How often a fault was observed, in which parts, and what was said where it could not be tried.
    fn observed(&self, fault: &Fault) -> (u64, Vec<&str>, Vec<String>) {
        let (mut times, mut places, mut reasons) = (0, Vec::new(), Vec::new());
        for (name, part) in &self.parts {
            let mut here = 0;
            for (what, count) in &part.met {
                if let Some(rest) = what.strip_prefix("not tried: ") {
                    if ids_of(rest).any(|id| id == fault.id) {
                        let words = rest.split(' ').skip_while(|word| is_id(word));
                        reasons.push(words.collect::<Vec<_>>().join(" "));
                    }
                } else if ids_of(what).any(|id| id == fault.id) {
                    here += count;
                }
            }
            if here > 0 {
                places.push(*name);
            }
            times += here;
        }
        (times, places, reasons)
    }

    fn page(&self) -> anyhow::Result<Page> {
        let mut page = Page::new("What was proven");
        page.text(&format!(
            "Made by `cargo sim report` from the ledger `tests/proof/ledger.jsonl`, at commit {}, on {}. \
             Each part counts only what it ran on the code that is there now; {} units of earlier code are \
             left out. How to repeat it: `cargo sim --nightly`, see howto/replay-a-seed.md.",
            proof::commit()?,
            machine(),
            self.former_units
        ));
        self.tell_sums(&mut page);
        self.tell_violations(&mut page);
        self.tell_faults(&mut page);
        self.tell_recovery(&mut page);
        self.tell_museum(&mut page);
        self.tell_rates(&mut page);
        let found = std::fs::read_to_string(proof::root()?.join(FOUND)).unwrap_or_default();
        page.heading("What it found");
        page.lines(&found);
        Ok(page)
    }

    fn tell_sums(&self, page: &mut Page) {
        let bugs = self.met("museum", "planted bugs");
        let caught = self.met("museum", "planted bugs caught");
        let sum = |what: &str| -> u64 {
            self.parts
                .values()
                .filter_map(|part| part.met.get(what))
                .sum()
        };
        let rows = [
            (
                "Cities simulated (seeds)",
                self.met("seeds", "seeds"),
                50_000,
            ),
            (
                "Sync sessions in them",
                self.met("seeds", "sessions"),
                3_000_000,
            ),
            (
                "Seeds run twice, both runs equal",
                self.met("twice", "seeds run twice"),
                2_000,
            ),
            (
                "Images of disks after a crash, reopened and checked",
                sum("images"),
                300_000,
            ),
            ("States of the models", self.met("model", "model states"), 0),
            (
                "Cases of the models carried out on the real programs",
                self.met("model", "model cases replayed"),
                0,
            ),
            ("Bugs planted", bugs, 40),
            ("Bugs caught", caught, bugs.max(40)),
            (
                "Wall time of long runs on this code (minutes)",
                minutes(self.wall),
                120,
            ),
        ];
        page.heading("Sums");
        page.table(
            &["what", "reached", "wanted"],
            rows.iter().map(|(what, reached, wanted)| {
                let wanted = if *wanted == 0 {
                    String::new()
                } else {
                    grouped(*wanted)
                };
                vec![(*what).to_owned(), grouped(*reached), wanted]
            }),
        );
    }

    fn tell_violations(&self, page: &mut Page) {
        page.heading("Violations");
        let all: Vec<_> = self
            .parts
            .iter()
            .flat_map(|(name, part)| {
                part.violations
                    .iter()
                    .map(move |why| format!("{name}: {why}"))
            })
            .collect();
        if all.is_empty() {
            page.text("None.");
        }
        for why in all {
            page.item(&why);
        }
    }

    fn tell_faults(&self, page: &mut Page) {
        page.heading("Faults observed");
        page.text("A fault counts when its effect was seen, not when it was planned.");
        let row = |fault: &Fault| {
            let (times, places, mut reasons) = self.observed(fault);
            let wanted = if fault.is_real { OFTEN_REAL } else { OFTEN };
            let remark = if times >= wanted {
                String::new()
            } else if fault.not_tried.is_empty() {
                if times > 0 || reasons.is_empty() {
                    reasons.insert(0, format!("fewer than {wanted}"));
                }
                reasons.join("; ")
            } else {
                format!("not tried: {}", fault.not_tried)
            };
            vec![
                fault.id.to_owned(),
                fault.what.to_owned(),
                grouped(times),
                places.join(", "),
                remark,
            ]
        };
        page.table(
            &["number", "fault", "observed", "by", "remark"],
            faults::ALL.iter().map(row),
        );
    }

    /// How many rounds of sessions it took until all was quiet and equal after the faults.
    fn tell_recovery(&self, page: &mut Page) {
        let mut rounds: BTreeMap<u64, u64> = BTreeMap::new();
        for (what, times) in self
            .parts
            .get("seeds")
            .into_iter()
            .flat_map(|part| &part.met)
        {
            let number = what.strip_prefix("quiet after rounds: ");
            if let Some(number) = number.and_then(|number| number.parse().ok()) {
                rounds.insert(number, *times);
            }
        }
        page.heading("Recovery");
        let all: u64 = rounds.values().sum();
        let at = |parts: u64| {
            let mut left = all * parts / 1_000;
            for (number, times) in &rounds {
                if left < *times {
                    return *number;
                }
                left -= times;
            }
            rounds.keys().next_back().copied().unwrap_or(0)
        };
        page.text(&format!(
            "Rounds (one session of each office, one minute apart) until everything was equal at hub and \
             offices after the faults had ended: median {}, 99 % within {}, longest {}; at most 50 are allowed.",
            at(500),
            at(990),
            at(1_000)
        ));
    }

    fn tell_museum(&self, page: &mut Page) {
        page.heading("Planted bugs");
        let met = self.parts.get("museum").map(|part| &part.met);
        let rows = met.into_iter().flatten().filter_map(|(what, times)| {
            let name = what.strip_prefix("seeds until caught ")?;
            Some(vec![name.to_owned(), grouped(*times)])
        });
        page.table(&["bug", "caught at seed (0: by a test)"], rows);
    }

    fn tell_rates(&self, page: &mut Page) {
        page.heading("Rates");
        let rate = |part: &str, what: &str| {
            let seconds = self.parts.get(part).map_or(0.0, |part| part.seconds);
            let per_second = if seconds > 0.0 {
                approximate(self.met(part, what)) / seconds
            } else {
                0.0
            };
            vec![
                format!("{what} ({part})"),
                format!("{per_second:.1}"),
                grouped(minutes(seconds)),
            ]
        };
        let rows = [
            rate("seeds", "seeds"),
            rate("seeds", "sessions"),
            rate("seeds", "calls"),
            rate("sweep", "images"),
            rate("model", "model states"),
        ];
        page.table(
            &["what", "per second and process", "minutes of processes"],
            rows.into_iter(),
        );
        let commits: BTreeSet<_> = self.parts.values().flat_map(|part| &part.commits).collect();
        let commits: Vec<_> = commits.iter().map(|commit| commit.as_str()).collect();
        page.text(&format!(
            "Commits at which it was run: {}.",
            commits.join(", ")
        ));
    }
}

impl Part {
    fn add(&mut self, entry: Entry) {
        self.units += 1;
        self.seconds += entry.came.seconds;
        self.violations.extend(entry.came.violations);
        self.commits.insert(entry.commit.chars().take(12).collect());
        for (what, times) in entry.came.met {
            *self.met.entry(what).or_insert(0) += times;
        }
    }
}

/// The numbers of faults with which a text begins.
fn ids_of(what: &str) -> impl Iterator<Item = &str> {
    what.split(' ').take_while(|word| is_id(word))
}

fn is_id(word: &str) -> bool {
    let number = word.strip_prefix(['N', 'P', 'D', 'V', 'O', 'M']);
    number.is_some_and(|number| {
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn minutes(seconds: f64) -> u64 {
    std::time::Duration::from_secs_f64(seconds.max(0.0)).as_secs() / 60
}

#[allow(clippy::cast_precision_loss, reason = "a rate for people")]
const fn approximate(count: u64) -> f64 {
    count as f64
}

/// A number in groups of three.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

/// The machine, as far as it tells.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpus = read("/proc/cpuinfo");
    let model = cpus
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let model = model
        .and_then(|line| line.split_once(": "))
        .map_or("", |(_, model)| model);
    let memory = read("/proc/meminfo");
    let memory = memory.lines().next().unwrap_or_default();
    let kibibytes = memory
        .split_whitespace()
        .nth(1)
        .and_then(|text| text.parse::<u64>().ok());
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{cores} cores ({model}), {} GiB, Linux {}",
        kibibytes.unwrap_or(0) / 1_048_576,
        read("/proc/sys/kernel/osrelease").trim()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_may_bear_several_numbers() {
        assert_eq!(
            ids_of("P1 P2 power cuts in a write").collect::<Vec<_>>(),
            ["P1", "P2"]
        );
        assert_eq!(ids_of("Not one").count(), 0);
        assert_eq!(ids_of("sessions").count(), 0);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(grouped(123_456), "123 456");
    }
}
