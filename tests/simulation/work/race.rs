//! Several who may write to a record do so, and none has seen what the others did: an office, the copy of its
//! machine, the desk; at a transfer both offices.

use super::{DELETED, Done, Draw, WRITTEN, is_open, line_of, words};
use crate::simulation::chance::Chance;
use crate::simulation::city::City;

/// States of a case in which its origin may still take it back, and its receiver take the member over.
const CROSSED: &[&str] = &["IN_TRANSIT", "RECEIVE_CHECK", "HOLD", "ACCEPTED"];

/// Somebody at an office, and others beside, change the same; each line with the place where it was done.
pub async fn race(city: &City, office: usize, number: u64) -> Vec<(Option<usize>, Done)> {
    let mut way = Chance::new(city.seed, "race", number);
    match way.below(8) {
        0..=3 => deleted_unseen(city, office, number).await,
        4 => crossed(city, office, number, &mut way).await,
        5 => regretted(city, office, number).await,
        _ => beside(city, office, number, &mut way).await,
    }
    .unwrap_or_default()
}

/// The desk changes a record of an office, which deletes it unseen.
async fn deleted_unseen(
    city: &City,
    office: usize,
    number: u64,
) -> Option<Vec<(Option<usize>, Done)>> {
    let mut here = Draw::new(city, Some(office), (number, 0), "work");
    let mut there = Draw::new(city, None, (number, 1), "work");
    let kind = *here.chance.one_of(DELETED)?;
    let id = here.pick_id(kind).await?;
    let (name, token) = (there.name_of(kind, &id), there.token());
    let remarks = format!("remarks={token}");
    let line = line_of(&["set", &name, &remarks]);
    let set = there.carry_out(line, Some(token)).await;
    let deleted = here.carry_out(line_of(&["delete", &id]), None).await;
    Some(vec![(None, set), (Some(office), deleted)])
}

/// An office deletes a record and brings it back.
async fn regretted(city: &City, office: usize, number: u64) -> Option<Vec<(Option<usize>, Done)>> {
    let mut here = Draw::new(city, Some(office), (number, 0), "work");
    let kind = *here.chance.one_of(DELETED)?;
    let id = here.pick_id(kind).await?;
    let mut done = Vec::new();
    for (part, verb) in (1..).zip(["delete", "restore-record"]) {
        let mut there = Draw::new(city, Some(office), (number, part), "work");
        let line = line_of(&[verb, &id]);
        done.push((Some(office), there.carry_out(line, None).await));
    }
    Some(done)
}

/// The origin recalls a case, the receiver accepts it, in any order.
async fn crossed(
    city: &City,
    office: usize,
    number: u64,
    way: &mut Chance,
) -> Option<Vec<(Option<usize>, Done)>> {
    let here = Draw::new(city, Some(office), (number, 1), "race");
    let mut cases = here.all("transfer").await;
    cases.retain(|case| case["state"].as_str().is_some_and(|s| CROSSED.contains(&s)));
    let case = way.one_of(&cases)?.clone();
    let id = case["id"].as_str()?;
    let mut lines = vec![(case["from_org"].as_str(), "recall")];
    if case["state"] == "IN_TRANSIT" {
        lines.push((case["to_org"].as_str(), "open_check"));
    }
    lines.push((case["to_org"].as_str(), "accept"));
    // The receiver's two stay in their order.
    if way.happens(500) {
        lines.rotate_left(1);
    }
    let mut done = Vec::new();
    for (part, (organisation, event)) in (2..).zip(lines) {
        let place = organisation.and_then(|id| city.office_with(id));
        if place.is_some() && is_open(city, place) {
            let mut there = Draw::new(city, place, (number, part), "race");
            let line = there.step_of(id, event);
            done.push((place, there.carry_out(line, None).await));
        }
    }
    Some(done)
}

/// All write the same fields of one record, or bring its case further, or end its life.
async fn beside(
    city: &City,
    office: usize,
    number: u64,
    way: &mut Chance,
) -> Option<Vec<(Option<usize>, Done)>> {
    let mut here = Draw::new(city, Some(office), (number, 0), "race");
    let kind = *here.chance.one_of(WRITTEN)?;
    let id = here.pick_id(kind).await?;
    let twin = city.twins.get(&office).copied();
    let mut places = vec![Some(office), None];
    places.extend(twin.map(Some));
    let first = usize::try_from(way.below(places.len() as u64)).unwrap_or(0);
    places.rotate_left(first);
    let mut done = Vec::new();
    for (part, place) in (1..).zip(places) {
        if !is_open(city, place) {
            continue;
        }
        let mut there = Draw::new(city, place, (number, part), "race");
        let token = there.token();
        let name = there.name_of(kind, &id);
        let (line, token) = match there.chance.below(8) {
            // A member is not deleted, and the desk deletes nothing.
            0 if place.is_some() && DELETED.contains(&kind) => (line_of(&["delete", &id]), None),
            1 | 2 if kind == "person" => {
                let address = format!("residence_address={token}");
                let code = format!("residence_code={number}");
                (line_of(&["set", &name, &address, &code]), Some(token))
            }
            3 if kind == "member" => {
                let line = there.for_whom(line_of(&["step", &id, "stop"]));
                let said = [words::DECIDED, words::of_status("stop")].concat();
                ([line, line_of(&said)].concat(), None)
            }
            _ => {
                let remarks = format!("remarks={token}");
                (line_of(&["set", &name, &remarks]), Some(token))
            }
        };
        done.push((place, there.carry_out(line, token).await));
    }
    Some(done)
}
