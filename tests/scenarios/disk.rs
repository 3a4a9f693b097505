//! A disk that is full, or refuses to write: a clear answer, nothing acknowledged that is not there,
//! and work goes on as soon as there is room.

use tests::harness::{Reply, SmallDisk, wait_for};

use crate::support::{Stage, enter, expect_names, names_at, names_at_hub};

/// Megabytes of a disk that holds an empty store and little more.
const MEGABYTES: u32 = 8;
/// Attempts in which a full disk must show.
const ATTEMPTS: usize = 200;

/// Whether a reply says in both languages that the disk is at fault.
fn names_the_disk(reply: &Reply) -> bool {
    reply.code == 1 && reply.err.contains("磁盘") && reply.err.contains("the disk")
}

#[test]
fn a_disk_that_refuses_to_write_is_named_and_nothing_is_half_there() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "先前")?;
    city.settle_down(0)?;
    city.kill_office(0)?;
    let data = city.office(0)?.data.clone();
    let add = ["add", "person", "name=写不下", "--data", &data, "--json"];
    let refused = city.programs.run_cramped(8_192, "lianxin-node", &add)?;
    assert!(
        names_the_disk(&refused),
        "{}: {}",
        refused.code,
        refused.err
    );
    expect_names(&names_at(city, 0)?, &["先前"]);
    city.node(0, &["verify"])?.done()?;
    enter(city, 0, "之后")?;
    city.start_office(0)?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["先前", "之后"]);
    Ok(())
}

#[test]
fn a_full_disk_of_an_office_is_named_and_work_goes_on_when_there_is_room() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let Some(disk) = SmallDisk::mount(&city.folder.join("disk"), MEGABYTES)? else {
        eprintln!("this user may not mount a disk: only the refused write is tried here");
        return Ok(());
    };
    city.kill_office(0)?;
    city.move_office(0, &disk.folder().join("office"))?;
    city.start_office(0)?;
    let mut entered = vec!["先前".to_owned()];
    enter(city, 0, "先前")?;
    city.settle_down(0)?;
    disk.fill()?;
    let mut refused = None;
    for number in 0..ATTEMPTS {
        let name = format!("满盘{number}");
        let reply = city.node(0, &["add", "person", &format!("name={name}")])?;
        if reply.code != 0 {
            refused = Some(reply);
            break;
        }
        entered.push(name);
    }
    let refused = refused.expect("a full disk refuses in the end");
    assert!(
        names_the_disk(&refused),
        "{}: {}",
        refused.code,
        refused.err
    );
    let expected: Vec<&str> = entered.iter().map(String::as_str).collect();
    expect_names(&names_at(city, 0)?, &expected);
    disk.free()?;
    enter(city, 0, "之后")?;
    city.prove_equality()?;
    let expected: Vec<&str> = expected.into_iter().chain(["之后"]).collect();
    expect_names(&names_at_hub(city)?, &expected);
    Ok(())
}

#[test]
fn a_full_disk_of_the_hub_acknowledges_nothing_and_takes_it_when_there_is_room()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let Some(disk) = SmallDisk::mount(&city.folder.join("disk"), MEGABYTES)? else {
        eprintln!("this user may not mount a disk: only the refused write is tried here");
        return Ok(());
    };
    enter(city, 0, "先前")?;
    city.settle_down(0)?;
    city.kill_hub()?;
    city.move_hub(&disk.folder().join("hub"))?;
    city.start_hub()?;
    city.settle_down(0)?;
    disk.fill()?;
    let mut entered = vec!["先前".to_owned()];
    wait_for("the hub cannot take more", 60, || {
        let name = format!("中心满盘{}", entered.len());
        enter(city, 0, &name)?;
        entered.push(name);
        std::thread::sleep(std::time::Duration::from_millis(300));
        let status = city.node(0, &["status"])?.done()?.json();
        Ok((status["waiting"].as_u64() > Some(0) && status["link"] == "down").then_some(()))
    })?;
    city.kill_office(0)?;
    let refused = city.node(0, &["sync"])?;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains("disk is full"), "{}", refused.err);
    let expected: Vec<&str> = entered.iter().map(String::as_str).collect();
    expect_names(&names_at(city, 0)?, &expected);
    disk.free()?;
    city.start_office(0)?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &expected);
    Ok(())
}
