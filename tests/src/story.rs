//! The demo's story: a hub and three offices as processes of their own, on generated data, with a
//! line that is cut, a value changed in two places, a race for one member, and a letter from issue
//! to receipt.

mod city;
mod letter;
mod work;

use std::io::Write as _;

pub use city::City;

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
    let city = City::found(folder)?;
    work::import_rosters(&city)?;
    work::change_in_two_places(&city)?;
    work::correct_a_service_record(&city)?;
    letter::from_issue_to_receipt(&city)?;
    letter::race(&city)?;
    city.prove_equality()?;
    Ok(city)
}
