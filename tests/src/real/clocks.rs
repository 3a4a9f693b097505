//! Wrong clocks, by libfaketime: the programs ask the system, and it tells another time.

use anyhow::ensure;

use super::case::{Case, Context, FAKETIME, Need, Seen};
use super::crowd::Crowd;
use super::stage::Stage;
use super::wrap;

const FAKE: &[Need] = &[Need::File(FAKETIME, "faketime")];

pub(super) const CASES: &[Case] = &[
    Case {
        ids: "D7",
        name: "node-clock-ten-years-off",
        sees: &["D7 offices ten years ahead", "D7 offices ten years behind"],
        needs: FAKE,
        run: node_clock_ten_years_off,
    },
    Case {
        ids: "O3",
        name: "hub-clock-wrong",
        sees: &["O3 sessions after the hub's clock was set right"],
        needs: FAKE,
        run: hub_clock_wrong,
    },
    Case {
        ids: "N15 O6",
        name: "certificates-expire",
        sees: &[
            "N15 certificates that ended in a session and were renewed",
            "O6 years that a machine's certificates lasted",
        ],
        needs: FAKE,
        run: certificates_expire,
    },
];

/// Ten years and more than ten minutes, forward and back (seconds).
const YEARS_S: i64 = 10 * 365 * 24 * 3600;

/// D7: the office's clock is ten years off, either way: its work is taken, it wins nothing by its clock.
fn node_clock_ten_years_off(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let data = stage.data(0)?;
    let clock = context.folder.join("clock").to_string_lossy().into_owned();
    let programs = wrap::other_clock(&context.programs, &clock);
    for round in 0..context.times * 2 {
        let offset = if round % 2 == 0 { YEARS_S } else { -YEARS_S };
        std::fs::write(&clock, format!("{offset:+}"))?;
        stage.enter_by(&programs, &data)?.done()?;
        let list = [
            "list",
            "person",
            "--where",
            &format!("name={}", stage.last()),
            "--json",
        ];
        let found = programs.run("lianxin-node", &[&list[..], &["--data", &data]].concat())?;
        let id = found.done()?.json()[0]["id"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        programs
            .run("lianxin-node", &["sync", "--data", &data])?
            .done()?;
        // The desk edits what the office edits without having seen that.
        stage
            .city
            .hub(&["set", &format!("person/{id}"), "post=中心"])?
            .done()?;
        let set = ["set", &id, "post=社区", "--data", &data];
        programs.run("lianxin-node", &set)?.done()?;
        for _ in 0..2 {
            programs
                .run("lianxin-node", &["sync", "--data", &data])?
                .done()?;
        }
        let record = stage.city.hub(&["get", &id])?.done()?.json();
        ensure!(
            record["post"] == "中心",
            "D7: a clock {offset} s off has won: {record}"
        );
        let items = stage.city.hub(&["conflicts"])?.done()?.json();
        let item = items[0]["id"].as_str().unwrap_or_default().to_owned();
        ensure!(
            items[0]["loser"].to_string().contains("社区"),
            "S7: the office's value is not kept: {items}"
        );
        stage
            .city
            .hub(&["settle", &item, "--keep", "winner"])?
            .done()?;
        stage.city.machine(&data, &["sync"])?.done()?;
        seen.saw(if offset > 0 {
            "D7 offices ten years ahead"
        } else {
            "D7 offices ten years behind"
        });
    }
    stage.audit()
}

/// O3: the hub's clock is wrong by years while offices work: all is taken, in order, and is right again
/// when the clock is.
fn hub_clock_wrong(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let mut stage = Stage::unserved(context)?;
    let data = stage.data(0)?;
    let clock = context.folder.join("clock").to_string_lossy().into_owned();
    let programs = wrap::other_clock(&context.programs, &clock);
    std::fs::write(&clock, "+0")?;
    stage.city.kill_hub()?;
    stage.city.start_hub_by(&programs, 0)?;
    for round in 0..context.times {
        // From a quarter of an hour to ten years, either way, while the hub runs.
        let size = [900, 86_400, 30 * 86_400, 365 * 86_400, YEARS_S];
        let size = size
            .get(usize::try_from(round)? / 2 % size.len())
            .copied()
            .unwrap_or(900);
        let offset = if round % 2 == 0 { size } else { -size };
        std::fs::write(&clock, format!("{offset:+}"))?;
        stage.enter(0)?;
        let reply = stage.city.machine(&data, &["sync"])?;
        if reply.code == 0 {
            seen.saw("O3 sessions with a hub whose clock is wrong");
        } else {
            // A hub years ahead takes every certificate for expired, and renews it or says so.
            ensure!(reply.err.contains("certificate"), "O3: {}", reply.err);
            seen.saw("O3 sessions refused by a hub years ahead, told");
        }
        std::fs::write(&clock, "+0")?;
        stage.city.machine(&data, &["sync"])?.done()?;
        seen.saw("O3 sessions after the hub's clock was set right");
    }
    stage.city.kill_hub()?;
    stage.city.start_hub()?;
    stage.audit()
}

/// Seconds of a day.
const DAY_S: i64 = 86_400;
/// Days that pass: each time an office's certificate (180 days) ends while its session is open; in the
/// end the hub's own (397 days) has ended, which nodes do not refuse.
const DAYS: [i64; 3] = [181, 365, 550];
/// Years in which the hub is started anew each time; its intermediate certificate ends after five.
const YEARS: [i64; 5] = [2, 3, 4, 5, 6];

/// The certificate that a machine has, by its key file.
fn keys_of(data: &str) -> anyhow::Result<Vec<u8>> {
    Ok(std::fs::read(format!("{data}/node-keys.toml"))?)
}

/// N15, O6: time passes for hub and nodes alike. Open sessions outlive their certificates, and the hub its
/// own; then the years in which every certificate below the root is replaced.
fn certificates_expire(context: &Context, seen: &mut Seen) -> anyhow::Result<()> {
    let clock = context.folder.join("clock").to_string_lossy().into_owned();
    let to_day = |day: i64| std::fs::write(&clock, format!("{:+}", day * DAY_S));
    to_day(0)?;
    let programs = wrap::other_clock(&context.programs, &clock);
    let mut stage = Stage::by(programs.clone(), &context.folder, 0)?;
    stage.city.enrol_unserved(0)?;
    let mut crowd = Crowd::join(&stage, context.times)?;
    crowd.serve(&programs)?;
    crowd.wait_for_link(&stage, true, 120)?;
    for day in DAYS {
        let machines = crowd.machines.iter().map(|machine| keys_of(&machine.data));
        let before = machines.collect::<anyhow::Result<Vec<_>>>()?;
        to_day(day)?;
        crowd.enter(&mut stage)?;
        crowd.audit(&stage)?;
        for (machine, before) in crowd.machines.iter().zip(before) {
            ensure!(
                keys_of(&machine.data)? != before,
                "N15: day {day}: not renewed"
            );
            seen.saw("N15 certificates that ended in a session and were renewed");
        }
    }
    crowd.stop();
    let intermediate = format!("{}/keys/intermediate.pem", stage.city.hub_data);
    let first = std::fs::read(&intermediate)?;
    for year in YEARS {
        // Half a year at a time: an office that is away longer than a certificate and the grace after it
        // lives must join again.
        for day in [year * 365, year * 365 + 182] {
            to_day(day)?;
            stage.city.kill_hub()?;
            stage.city.start_hub()?;
            crowd.enter(&mut stage)?;
            crowd.audit(&stage)?;
        }
        seen.count(
            "O6 years that a machine's certificates lasted",
            context.times,
        );
    }
    let is_replaced = std::fs::read(&intermediate)? != first;
    ensure!(is_replaced, "O6: the intermediate certificate has ended");
    Ok(())
}
