//! A hub that is put back from a backup: what it had signed to its nodes comes back from them.

use std::path::Path;
use std::time::Duration;

use tests::harness::{City, STREET, copy_folder, wait_for};

use crate::support::{
    Stage, accept, back_up, computer, copy_behind, enter, enter_member, expect_names,
    expect_no_conflicts, names_at, names_at_hub, send_on_the_way, text,
};

#[test]
fn a_restored_hub_takes_back_what_its_nodes_hold_before_it_decides() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    let first = enter(city, 0, "庚一")?;
    enter(city, 1, "辛一")?;
    city.prove_equality()?;
    let backup = back_up(city, "hub.backup")?;
    // After the backup: offices and desk go on, and everybody hears of it.
    enter(city, 0, "庚二")?;
    enter(city, 1, "辛二")?;
    city.settle_down(0)?;
    city.hub(&["set", &format!("person/{first}"), "phone=13900000007"])?
        .done()?;
    city.prove_equality()?;
    city.kill_hub()?;
    // And while there is no hub.
    enter(city, 0, "庚三")?;
    let restored = city.hub(&["restore", &backup])?.done()?.json();
    assert!(restored["kept_beside"].is_string(), "{restored}");
    expect_names(&names_at_hub(city)?, &["庚一", "辛一"]);
    city.kill_office(1)?;
    city.start_hub()?;
    // One office is heard, the other not yet: nothing is decided, nothing acknowledged is lost.
    city.start_office(1)?;
    city.prove_equality()?;
    let status = city.hub(&["recovery", "status"])?.done()?.json();
    assert_eq!(status["recovering"], false, "{status}");
    assert_eq!(
        status["evidence"].as_array().map(Vec::len),
        Some(0),
        "{status}"
    );
    expect_names(
        &names_at_hub(city)?,
        &["庚一", "庚三", "庚二", "辛一", "辛二"],
    );
    expect_names(&names_at(city, 0)?, &["庚一", "庚三", "庚二"]);
    expect_names(&names_at(city, 1)?, &["辛一", "辛二"]);
    let person = city.hub(&["get", &first])?.done()?.json();
    assert_eq!(
        person["phone"], "13900000007",
        "the desk's edit came back from the office"
    );
    expect_no_conflicts(city)
}

#[test]
fn while_one_office_is_not_heard_a_restored_hub_decides_nothing_that_concerns_it()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(2)?;
    let city = &mut stage.city;
    enter(city, 0, "壬一")?;
    let (_, case) = on_the_way(city)?;
    let backup = back_up(city, "hub.backup")?;
    enter(city, 0, "壬二")?;
    city.prove_equality()?;
    city.kill_office(1)?;
    city.kill_hub()?;
    city.hub(&["restore", &backup])?.done()?;
    city.start_hub()?;
    let status = wait_for("the office is heard", 60, || {
        let status = city.hub(&["recovery", "status"])?.done()?.json();
        Ok((status["not_heard"].as_array().map(Vec::len) == Some(1)).then_some(status))
    })?;
    assert_eq!(status["recovering"], true);
    // What is the office's own is decided at once; it works on.
    enter(city, 0, "壬三")?;
    wait_for("the office's own is decided", 30, || {
        Ok((names_at_hub(city)?.len() == 4).then_some(()))
    })?;
    expect_names(&names_at_hub(city)?, &["半途", "壬一", "壬三", "壬二"]);
    // What concerns the other office waits, and so does the desk; what follows it does not.
    let recall = ["transfer", "step", &case, "recall", "--reason", "本人撤回"];
    city.node(0, &recall)?.done()?;
    enter(city, 0, "壬四")?;
    wait_for("what follows is decided", 30, || {
        Ok((names_at_hub(city)?.len() == 5).then_some(()))
    })?;
    let office = city.office(0)?.code;
    let machines = city.hub(&["office", "machines", office])?.done()?.json();
    assert_eq!(
        machines[0]["received"], machines[0]["decided_through"],
        "it waits as a decided change, with a note: {machines}"
    );
    let note = wait_for("the office hears that it waits", 30, || {
        let notes = city.node(0, &["list", "set_aside"])?.done()?.json();
        let id = text(&notes[0]["id"]);
        Ok((!id.is_empty()).then_some(id))
    })?;
    let note = city.node(0, &["quarantine", "show", &note])?.done()?.json();
    assert!(note.to_string().contains("中心刚从备份恢复"), "{note}");
    assert_eq!(
        city.hub(&["get", &case])?.done()?.json()["state"],
        "IN_TRANSIT"
    );
    assert_eq!(city.hub(&["tick"])?.done()?.json()["steps"], 0);
    let desk = city.hub(&["transfer", "step", &case, "recall", "--as", STREET])?;
    assert_eq!(desk.code, 1);
    assert!(desk.err.contains("recovery status"), "{}", desk.err);
    let ended = city.hub(&["recovery", "end"])?.done()?.json();
    assert_eq!(ended["recovering"], false);
    city.start_office(1)?;
    city.prove_equality()?;
    expect_names(
        &names_at_hub(city)?,
        &["半途", "壬一", "壬三", "壬二", "壬四"],
    );
    assert_eq!(
        city.hub(&["get", &case])?.done()?.json()["state"],
        "RECALLED"
    );
    Ok(())
}

/// S1: a hub that was put back takes a copy's change at the place of one that it had acknowledged and has lost. The
/// machine that made that one comes later, and makes it known again.
#[test]
fn what_a_restored_hub_has_lost_is_sent_again_though_a_copy_has_taken_its_place()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    city.prove_equality()?;
    let backup = back_up(city, "hub.backup")?;
    let copy = copy_behind(city, "己一")?;
    city.kill_hub()?;
    city.hub(&["restore", &backup])?.done()?;
    city.start_hub()?;
    city.machine(&copy, &["add", "person", "name=己二"])?
        .done()?;
    city.machine(&copy, &["sync"])?.done()?;
    expect_names(&names_at_hub(city)?, &["己二"]);
    city.start_office(0)?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["己一", "己二"]);
    Ok(())
}

#[test]
fn a_protected_backup_carries_the_keys_and_opens_with_its_passphrase_only() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "癸一")?;
    city.prove_equality()?;
    let at = |name: &str| city.folder.join(name).to_string_lossy().into_owned();
    std::fs::write(at("right"), "correct horse battery\n")?;
    std::fs::write(at("wrong"), "another passphrase\n")?;
    let (backup, right, wrong, new) = (at("hub.age"), at("right"), at("wrong"), at("new-hub"));
    city.hub(&["backup", &backup, "--passphrase-file", &right])?
        .done()?;
    let restore = |passphrase: &[&str]| {
        let mut args = vec!["restore", backup.as_str(), "--data", new.as_str(), "--json"];
        args.extend(passphrase);
        city.programs.run("lianxin-hub", &args)
    };
    assert_eq!(restore(&[])?.code, 1, "it does not open without");
    assert_eq!(
        restore(&["--passphrase-file", &wrong])?.code,
        1,
        "nor with another"
    );
    restore(&["--passphrase-file", &right])?.done()?;
    // On another machine it is the same hub: the office's certificate holds.
    city.kill_hub()?;
    city.hub_data = new;
    city.start_hub()?;
    enter(city, 0, "癸二")?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["癸一", "癸二"]);
    Ok(())
}

#[test]
fn what_the_oldest_kept_backup_has_is_durable_and_nothing_is_without_one() -> anyhow::Result<()> {
    let stage = Stage::with_offices(1)?;
    let city = &stage.city;
    let durable = || -> anyhow::Result<(u64, u64)> {
        city.settle_down(0)?;
        let status = city.node(0, &["status"])?.done()?.json();
        let number = |name: &str| status[name].as_u64().unwrap_or_default();
        Ok((number("received"), number("durable")))
    };
    enter(city, 0, "备份前")?;
    let (received, kept) = durable()?;
    assert!(received > 0 && kept == 0, "{received} {kept}");
    let file = |name: &str| city.folder.join(name).to_string_lossy().into_owned();
    let (first, second) = (file("first.backup"), file("second.backup"));
    let made = city.hub(&["backup", &first])?.done()?.json();
    assert_eq!(made["verified"], true, "{made}");
    enter(city, 0, "备份后")?;
    let (now, kept) = durable()?;
    assert_eq!(kept, received, "what the backup has");
    city.hub(&["backup", &second])?.done()?;
    enter(city, 0, "再备份后")?;
    assert_eq!(
        durable()?.1,
        received,
        "the oldest counts: it may be the one that is put back"
    );
    std::fs::remove_file(&first)?;
    city.hub(&["tick"])?.done()?;
    enter(city, 0, "旧备份删除后")?;
    assert_eq!(durable()?.1, now);
    let status = city.hub(&["status"])?.done()?.json();
    assert_eq!(
        status["backups"].as_array().map(Vec::len),
        Some(1),
        "{status}"
    );
    Ok(())
}

/// A member of the first office who is on the way to the second, and the case; the letter is there.
fn on_the_way(city: &City) -> anyhow::Result<(String, String)> {
    let member = enter_member(city, &["name=半途"])?;
    let case = send_on_the_way(city, &member)?;
    Ok((member, case))
}

#[test]
fn a_move_of_which_a_restored_hub_hears_one_half_leaves_one_holder() -> anyhow::Result<()> {
    for heard in [0, 1] {
        let unheard = 1 - heard;
        let mut stage = Stage::with_offices(2)?;
        let city = &mut stage.city;
        let (member, case) = on_the_way(city)?;
        let backup = back_up(city, "hub.backup")?;
        accept(city, &case)?;
        city.kill_office(unheard)?;
        city.kill_hub()?;
        city.hub(&["restore", &backup])?.done()?;
        city.start_hub()?;
        wait_for("one half is heard", 60, || {
            let status = city.hub(&["recovery", "status"])?.done()?.json();
            let missing = status["not_heard"].as_array().map(Vec::len);
            Ok((missing == Some(1)).then_some(()))
        })?;
        city.hub(&["recovery", "end"])?.done()?;
        city.hub(&["verify"])?.done()?;
        let receiver = text(&city.node(1, &["status"])?.done()?.json()["office"]);
        let record = city.hub(&["get", &member])?.done()?.json();
        assert_eq!(text(&record["holder"]), receiver, "heard {heard}: {record}");
        // The other half comes late: nothing is doubled, and both agree in the end.
        city.start_office(unheard)?;
        city.prove_equality()?;
        let record = city.hub(&["get", &member])?.done()?.json();
        assert_eq!(text(&record["holder"]), receiver, "heard {heard}: {record}");
        let at_receiver = city.node(1, &["get", &member])?.done()?.json();
        assert_eq!(text(&at_receiver["holder"]), receiver);
        assert_eq!(city.node(0, &["get", &member])?.code, 1, "it has left");
    }
    Ok(())
}

#[test]
fn an_office_that_enrolled_after_the_backup_goes_on_at_the_restored_hub() -> anyhow::Result<()> {
    for is_ended_without_it in [false, true] {
        let mut stage = Stage::with_offices(1)?;
        let city = &mut stage.city;
        enter(city, 0, "先来")?;
        city.prove_equality()?;
        let backup = back_up(city, "hub.backup")?;
        // A second computer of the office, of which the backup knows nothing.
        let second = computer(city, "second");
        second(&["init"])?.done()?;
        let code = city.hub(&["code", city.office(0)?.code])?.done()?.json();
        second(&["join", &text(&code["code"])])?.done()?;
        second(&["add", "person", "name=后到"])?.done()?;
        second(&["sync"])?.done()?;
        city.prove_equality()?;
        city.kill_hub()?;
        city.hub(&["restore", &backup])?.done()?;
        city.start_hub()?;
        wait_for("the first is heard", 60, || {
            let status = city.hub(&["recovery", "status"])?.done()?.json();
            let missing = status["not_heard"].as_array().map(Vec::len);
            Ok((missing == Some(1)).then_some(()))
        })?;
        if is_ended_without_it {
            city.hub(&["recovery", "end"])?.done()?;
        }
        second(&["add", "person", "name=更后"])?.done()?;
        for _ in 0..2 {
            second(&["sync"])?.done()?;
        }
        city.prove_equality()?;
        second(&["sync"])?.done()?;
        second(&["verify"])?.done()?;
        expect_names(&names_at_hub(city)?, &["先来", "后到", "更后"]);
        expect_names(&names_at(city, 0)?, &["先来", "后到", "更后"]);
    }
    Ok(())
}

/// An old file in the place of the database of a hub that is off, without its log.
fn put_database_back(city: &City, old: &Path) -> anyhow::Result<()> {
    let database = Path::new(&city.hub_data).join("hub.sqlite");
    for ending in ["sqlite-wal", "sqlite-shm"] {
        let _ = std::fs::remove_file(database.with_extension(ending));
    }
    std::fs::copy(old, &database)?;
    Ok(())
}

/// The hub's database is not used and not served, and its refusal says this; after `recovery begin` it is.
fn recover_what_is_refused(city: &mut City, says: &str) -> anyhow::Result<()> {
    let refused = city.hub(&["list", "person"])?;
    assert_eq!(refused.code, 1);
    assert!(refused.err.contains(says), "{}", refused.err);
    assert!(city.start_hub().is_err(), "it is served");
    city.hub(&["recovery", "begin"])?.done()?;
    city.start_hub()
}

/// S9, P16: an old file put into the place of the hub's database is seen before anything is decided on
/// it, and becomes a restored one when a person says so.
#[test]
fn an_old_file_in_the_place_of_the_hubs_database_is_not_served_as_if_nothing_had_happened()
-> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    let first = enter(city, 0, "子一")?;
    city.prove_equality()?;
    city.kill_hub()?;
    let old = city.folder.join("old.sqlite");
    // What a careless copy takes: the database with its log.
    city.hub(&["backup", &old.to_string_lossy()])?.done()?;
    city.start_hub()?;
    enter(city, 0, "子二")?;
    city.settle_down(0)?;
    city.hub(&["set", &format!("person/{first}"), "phone=13900000008"])?
        .done()?;
    city.prove_equality()?;
    // It is noted within a second.
    std::thread::sleep(Duration::from_secs(2));
    city.kill_hub()?;
    put_database_back(city, &old)?;
    recover_what_is_refused(city, "recovery begin")?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["子一", "子二"]);
    expect_names(&names_at(city, 0)?, &["子一", "子二"]);
    let person = city.hub(&["get", &first])?.done()?.json();
    assert_eq!(person["phone"], "13900000008", "{person}");
    Ok(())
}

/// L1: the machine that has enrolled since is in the register beside the database, and nothing else of it is.
#[test]
fn an_old_database_that_lacks_a_machine_is_not_served() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    city.prove_equality()?;
    let old = city.folder.join("old.sqlite");
    city.hub(&["backup", &old.to_string_lossy()])?.done()?;
    let second = computer(city, "second");
    second(&["init"])?.done()?;
    let code = city.hub(&["code", city.office(0)?.code])?.done()?.json();
    second(&["join", &text(&code["code"])])?.done()?;
    city.kill_hub()?;
    put_database_back(city, &old)?;
    recover_what_is_refused(city, "2 enrolled machines")?;
    second(&["add", "person", "name=寅一"])?.done()?;
    for _ in 0..2 {
        second(&["sync"])?.done()?;
    }
    city.prove_equality()?;
    second(&["verify"])?.done()?;
    expect_names(&names_at_hub(city)?, &["寅一"]);
    Ok(())
}

/// S1: a node that was rewound went on in another epoch, and then the hub was put back to before what the
/// node had sent in the epoch before. No signature proves it: it comes again from the node's journal.
#[test]
fn what_a_hub_that_was_put_back_has_lost_of_a_former_epoch_comes_again() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "丑一")?;
    city.prove_equality()?;
    let backup = back_up(city, "hub.backup")?;
    enter(city, 0, "丑二")?;
    city.settle_down(0)?;
    city.kill_office(0)?;
    let copy = city.copy_office(0, "copy")?;
    city.start_office(0)?;
    enter(city, 0, "丑三")?;
    city.prove_equality()?;
    // The office goes back and on in a new epoch; its certificates are of before.
    city.kill_office(0)?;
    city.roll_back(0, &copy)?;
    city.start_office(0)?;
    city.settle_down(0)?;
    enter(city, 0, "丑四")?;
    city.settle_down(0)?;
    city.kill_hub()?;
    city.hub(&["restore", &backup])?.done()?;
    city.start_hub()?;
    city.prove_equality()?;
    let names = names_at_hub(city)?;
    for name in ["丑一", "丑二", "丑四"] {
        assert!(names.contains(&name.to_owned()), "{name}: {names:?}");
    }
    assert_eq!(names, names_at(city, 0)?);
    Ok(())
}

/// S9, D4: a hub whose whole folder was put back cannot know it; the first office that greets proves it.
#[test]
fn a_hub_whose_folder_was_put_back_whole_stops_when_the_first_office_greets() -> anyhow::Result<()>
{
    let mut stage = Stage::with_offices(1)?;
    let city = &mut stage.city;
    enter(city, 0, "寅一")?;
    city.prove_equality()?;
    city.kill_hub()?;
    let hub = city.hub_data.clone();
    let copy = city.folder.join("hub-copy");
    copy_folder(Path::new(&hub), &copy)?;
    city.start_hub()?;
    enter(city, 0, "寅二")?;
    city.prove_equality()?;
    city.kill_hub()?;
    std::fs::remove_dir_all(&hub)?;
    copy_folder(&copy, Path::new(&hub))?;
    city.start_hub()?;
    enter(city, 0, "寅三")?;
    wait_for("the hub ends", 60, || Ok((!city.hub_runs()?).then_some(())))?;
    recover_what_is_refused(city, "recovery begin")?;
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &["寅一", "寅三", "寅二"]);
    expect_names(&names_at(city, 0)?, &["寅一", "寅三", "寅二"]);
    Ok(())
}
