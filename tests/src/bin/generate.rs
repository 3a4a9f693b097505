//! Writes invented rosters and organisation trees: `cargo run -p tests --bin generate -- --help`.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use tests::generate::{
    CsvEncoding, Roster, RosterSpec, city, organisations_csv, roster, volunteers,
};

/// Writes invented rosters and organisation trees.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A roster of members (党员花名册).
    Roster(Options),
    /// A roster of volunteers (志愿者名册).
    Volunteers(Options),
    /// The organisation tree of a city, for `lianxin-hub org import`.
    City {
        /// Communities.
        #[arg(long, default_value_t = 475)]
        rows: usize,
        /// Everything follows from it.
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// The file, .csv.
        out: PathBuf,
    },
}

#[derive(Debug, clap::Args)]
struct Options {
    /// People.
    #[arg(long, default_value_t = 72)]
    rows: usize,
    /// Everything follows from it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Index of the first person.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Share of damaged rows, from 0 to 1.
    #[arg(long, default_value_t = 0.0)]
    dirt: f64,
    /// Name of the office.
    #[arg(long, default_value = "东湖社区")]
    office: String,
    /// Headings in two levels.
    #[arg(long)]
    two_levels: bool,
    /// Lines above the headings, at most three.
    #[arg(long, default_value_t = 2)]
    titles: usize,
    /// Text as GB18030 instead of UTF-8.
    #[arg(long)]
    gb18030: bool,
    /// The file: .xlsx or .csv.
    out: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let said = match Arguments::parse().what {
        What::Roster(options) => write(&options, roster)?,
        What::Volunteers(options) => write(&options, volunteers)?,
        What::City { rows, seed, out } => {
            let city = city(seed, rows);
            organisations_csv(&out, &city)?;
            let all = city.organisations.len();
            format!(
                "{all} organisations, {rows} of them communities: {}",
                out.display()
            )
        }
    };
    writeln!(std::io::stdout(), "{said}")?;
    Ok(())
}

fn write(options: &Options, make: impl Fn(&RosterSpec) -> Roster) -> anyhow::Result<String> {
    let roster = make(&RosterSpec {
        seed: options.seed,
        rows: options.rows,
        first: options.first,
        office_name: options.office.clone(),
        dirt: options.dirt,
        two_level_headings: options.two_levels,
        title_rows: options.titles,
        ..RosterSpec::default()
    });
    let out: &Path = &options.out;
    let extension = out.extension().and_then(|extension| extension.to_str());
    match extension {
        Some("xlsx") => roster.table.write_xlsx(out)?,
        Some("csv") if options.gb18030 => roster.table.write_csv(out, CsvEncoding::Gb18030)?,
        Some("csv") => roster.table.write_csv(out, CsvEncoding::Utf8Bom)?,
        _ => anyhow::bail!("the file must end in .xlsx or .csv: {}", out.display()),
    }
    let dirty = roster.dirty.len();
    let is_text = extension == Some("csv");
    let unreadable = if is_text {
        roster.unreadable_as_text()
    } else {
        roster.unreadable()
    };
    let rows = options.rows;
    Ok(format!(
        "{rows} rows, {dirty} damaged, {unreadable} of them unreadable: {}",
        out.display()
    ))
}
