//! Nodes that can prove nothing to a restored hub: their journals bring back what they were
//! acknowledged.

use lianxin_node::app::App;
use lianxin_node::sync::Session;
use tests::harness::City;

use crate::support::{Stage, computer, expect_names, names_at, names_at_hub, text};

/// Persons who are entered and acknowledged.
const ENTERED: usize = 50;
/// How many of them the backup has.
const IN_BACKUP: usize = 20;

/// Enters persons at an office that nobody serves, and sends them: acknowledged, and cut before
/// anything was read.
fn enter_and_send(city: &City, names: &[String]) -> anyhow::Result<()> {
    for name in names {
        let person = ["add", "person", &format!("name={name}")];
        city.node(0, &person)?.done()?;
    }
    let data = std::path::PathBuf::from(&city.office(0)?.data);
    tokio::runtime::Runtime::new()?.block_on(async {
        let app = App::open(&data)?;
        Session::open(&app).await?.send().await?;
        anyhow::Ok(())
    })
}

#[test]
fn a_node_without_a_certificate_brings_back_all_that_it_was_acknowledged() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(0)?;
    let city = &mut stage.city;
    city.enrol_unserved(0)?;
    let names: Vec<String> = (0..ENTERED)
        .map(|number| format!("人{number:02}"))
        .collect();
    let (before, after) = names.split_at(IN_BACKUP);
    enter_and_send(city, before)?;
    let backup = city.folder.join("hub.backup");
    let backup = backup.to_string_lossy().into_owned();
    city.hub(&["backup", &backup])?.done()?;
    enter_and_send(city, after)?;
    assert_eq!(names_at_hub(city)?.len(), ENTERED);
    let status = city.node(0, &["status"])?.done()?.json();
    assert_eq!(status["waiting"], 0, "all were acknowledged: {status}");
    assert_eq!(
        status["certificates"].as_array().map(Vec::len),
        Some(0),
        "it has no proof: {status}"
    );
    city.kill_hub()?;
    city.hub(&["restore", &backup])?.done()?;
    assert_eq!(names_at_hub(city)?.len(), IN_BACKUP);
    city.start_hub()?;
    // The next session brings them back.
    city.node(0, &["sync"])?.done()?;
    let wanted: Vec<&str> = names.iter().map(String::as_str).collect();
    expect_names(&names_at_hub(city)?, &wanted);
    city.prove_equality()?;
    expect_names(&names_at_hub(city)?, &wanted);
    expect_names(&names_at(city, 0)?, &wanted);
    for command in ["conflicts", "quarantine"] {
        let found = city.hub(&[command])?.done()?.json();
        assert_eq!(found.as_array().map(Vec::len), Some(0), "{found}");
    }
    let recovery = city.hub(&["recovery", "status"])?.done()?.json();
    assert_eq!(recovery["recovering"], false, "{recovery}");
    assert_eq!(
        recovery["evidence"].as_array().map(Vec::len),
        Some(0),
        "what came again is no evidence: {recovery}"
    );
    Ok(())
}

/// S1: the machine was enrolled again after the backup. What the hub had acknowledged of its former identity and has
/// lost comes again under the present one, each once.
#[test]
fn what_a_restored_hub_has_lost_of_a_former_identity_comes_again() -> anyhow::Result<()> {
    let mut stage = Stage::with_offices(0)?;
    let city = &mut stage.city;
    city.enrol_unserved(0)?;
    let names = ["卯一", "卯二", "卯三", "卯四"].map(str::to_owned);
    enter_and_send(city, &names[..2])?;
    let backup = city.folder.join("hub.backup");
    let backup = backup.to_string_lossy().into_owned();
    city.hub(&["backup", &backup])?.done()?;
    enter_and_send(city, &names[2..])?;
    let code = city.hub(&["code", city.office(0)?.code])?.done()?.json();
    city.node(0, &["join", &text(&code["code"])])?.done()?;
    city.kill_hub()?;
    city.hub(&["restore", &backup])?.done()?;
    city.start_hub()?;
    city.node(0, &["sync"])?.done()?;
    // What the machine was before will not report.
    city.hub(&["recovery", "end"])?.done()?;
    for _ in 0..3 {
        city.node(0, &["sync"])?.done()?;
    }
    let wanted = ["卯一", "卯二", "卯三", "卯四"];
    expect_names(&names_at_hub(city)?, &wanted);
    expect_names(&names_at(city, 0)?, &wanted);
    for command in ["conflicts", "quarantine"] {
        let found = city.hub(&[command])?.done()?.json();
        assert_eq!(found.as_array().map(Vec::len), Some(0), "{found}");
    }
    city.hub(&["verify"])?.done()?;
    Ok(())
}

#[test]
fn a_node_that_a_restored_hub_has_lost_whole_joins_again_and_keeps_everything() -> anyhow::Result<()>
{
    for is_proven in [true, false] {
        let mut stage = Stage::with_offices(1)?;
        let city = &mut stage.city;
        city.prove_equality()?;
        let backup = city.folder.join("hub.backup");
        let backup = backup.to_string_lossy().into_owned();
        city.hub(&["backup", &backup])?.done()?;
        // An office that the backup knows and whose computer it does not: the first computer's disk
        // has broken, and another has joined since.
        city.kill_office(0)?;
        let second = computer(city, "second");
        second(&["init"])?.done()?;
        let new_code = |city: &City| -> anyhow::Result<String> {
            let code = city.office(0)?.code;
            Ok(text(&city.hub(&["code", code])?.done()?.json()["code"]))
        };
        second(&["join", &new_code(city)?])?.done()?;
        let edited = text(&second(&["add", "person", "name=后到一"])?.done()?.json()["id"]);
        second(&["add", "person", "name=后到二"])?.done()?;
        second(&["sync"])?.done()?;
        second(&["set", &edited, "phone=13900000001"])?.done()?;
        second(&["sync"])?.done()?;
        city.hub(&["set", &format!("person/{edited}"), "former_name=曾用"])?
            .done()?;
        second(&["sync"])?.done()?;
        second(&["sync"])?.done()?;
        second(&["add", "person", "name=还没报"])?.done()?;
        // The hub is put back, and the register beside its database is lost.
        city.kill_hub()?;
        std::fs::remove_file(std::path::Path::new(&city.hub_data).join("register.txt"))?;
        let restored = city.hub(&["restore", &backup])?.done()?.json();
        assert!(
            text(&restored["register"]).contains("登记簿遗失"),
            "{restored}"
        );
        city.start_hub()?;
        if !is_proven {
            city.hub(&["recovery", "end"])?.done()?;
        }
        let refused = second(&["sync"])?;
        assert_ne!(refused.code, 0);
        for said in [
            "lianxin-node join CODE",
            "lianxin-node join 入网码",
            "都会保留",
        ] {
            assert!(refused.err.contains(said), "{}", refused.err);
        }
        second(&["join", &new_code(city)?])?.done()?;
        if is_proven {
            // The broken computer will not report.
            second(&["sync"])?.done()?;
            city.hub(&["recovery", "end"])?.done()?;
        }
        for _ in 0..3 {
            second(&["sync"])?.done()?;
        }
        second(&["verify"])?.done()?;
        let wanted = ["后到一", "后到二", "还没报"];
        expect_names(&names_at_hub(city)?, &wanted);
        let status = second(&["status"])?.done()?.json();
        assert_eq!(status["waiting"], 0, "{status}");
        for get in [city.hub(&["get", &edited])?, second(&["get", &edited])?] {
            let person = get.done()?.json();
            assert_eq!(person["phone"], "13900000001", "{person}");
            if is_proven {
                assert_eq!(
                    person["former_name"], "曾用",
                    "what the hub signed comes back"
                );
            }
        }
        for command in ["conflicts", "quarantine"] {
            let found = city.hub(&[command])?.done()?.json();
            assert_eq!(found.as_array().map(Vec::len), Some(0), "{found}");
        }
        // The office's other computer sees each once.
        city.start_office(0)?;
        city.prove_equality()?;
        expect_names(&names_at(city, 0)?, &wanted);
        city.hub(&["verify"])?.done()?;
    }
    Ok(())
}
