//! The demo's story: a hub and three offices as processes of their own, on generated data, with a
//! line that is cut, a value changed in two places, a race for one member, and a letter from issue
//! to receipt.

mod letter;
mod work;

use std::io::Write as _;

use crate::harness::City;
/// Prints a chapter's heading.
pub(crate) fn chapter(text: &str) {
    tell(&format!("\n== {text}"));
}

/// Prints one sentence of the story.
pub(crate) fn tell(text: &str) {
    // Nobody reads on: the story goes on all the same.
    drop(writeln!(std::io::stdout(), "{text}"));
}

/// Tells the whole story; the city stays up until it is dropped.
///
/// # Errors
/// The first thing that did not happen as it should.
pub fn tell_all(folder: &std::path::Path) -> anyhow::Result<City> {
    chapter("A city is founded");
    let city = City::found(folder, 3)?;
    tell(&format!(
        "hub: up, its page at http://{}/",
        city.hub_page()?
    ));
    for office in &city.offices {
        if let Some(page) = office.page()? {
            tell(&format!(
                "{}: enrolled, its page at http://{page}/",
                office.name
            ));
        }
    }
    work::import_rosters(&city)?;
    work::change_in_two_places(&city)?;
    work::correct_a_service_record(&city)?;
    letter::from_issue_to_receipt(&city)?;
    letter::race(&city)?;
    tell_equality(&city)?;
    Ok(city)
}

fn tell_equality(city: &City) -> anyhow::Result<()> {
    chapter("Node and hub prove that they are equal");
    for (office, certificates) in city.offices.iter().zip(city.prove_equality()?) {
        for certificate in certificates {
            tell(&format!(
                "{}: feed {} holds the same {} records at place {} as the hub, digest {}…, \
                 signed by both",
                office.name,
                certificate["feed"].as_str().unwrap_or("?"),
                certificate["count"],
                certificate["sequence"],
                certificate["sum"]
                    .as_str()
                    .unwrap_or("?")
                    .get(..16)
                    .unwrap_or("?"),
            ));
        }
    }
    tell("hub: verified; every living member is held by exactly one office");
    Ok(())
}
