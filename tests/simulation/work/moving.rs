//! Members on the move: a case is brought on wherever it is due, and both offices write to the member meanwhile.

use domain::machines::transfer::MACHINE;
use serde_json::Value;

use super::cases::{place_of, started};
use super::{Done, Draw, is_open, line_of};
use crate::simulation::city::{City, code_of};

/// A member of an office moves on: his case begins, or goes a step further; whoever knows him writes to him. Each
/// line with the place where it was done.
pub async fn moving(city: &City, office: usize, number: u64) -> Vec<(Option<usize>, Done)> {
    let mut here = Draw::new(city, Some(office), (number, 0), "moving");
    let Some(case) = here.furthest().await else {
        let begun = here.begins_to_move().await;
        return begun.map(|done| (Some(office), done)).into_iter().collect();
    };
    bring_on(city, office, number, &case)
        .await
        .unwrap_or_default()
}

async fn bring_on(
    city: &City,
    office: usize,
    number: u64,
    case: &Value,
) -> Option<Vec<(Option<usize>, Done)>> {
    let (id, member) = (case["id"].as_str()?, case["member"].as_str()?);
    let named = [case["from_org"].as_str(), case["to_org"].as_str()];
    let mut places = vec![Some(office)];
    for place in named.into_iter().flatten().map(|id| city.office_with(id)) {
        if place.is_some() && !places.contains(&place) {
            places.push(place);
        }
    }
    places.push(None);
    let mut done = Vec::new();
    for (part, place) in (1..).zip(places) {
        if !is_open(city, place) {
            continue;
        }
        let mut there = Draw::new(city, place, (number, part), "moving");
        if let Some((_, event)) = there.due(Some(id)).await {
            let line = there.step_of(id, event);
            done.push((place, there.carry_out(line, None).await));
        }
        let (name, token) = (there.name_of("member", member), there.token());
        let remarks = format!("remarks={token}");
        if there.chance.happens(600) {
            let line = line_of(&["set", &name, &remarks]);
            done.push((place, there.carry_out(line, Some(token)).await));
        }
    }
    Some(done)
}

impl Draw<'_> {
    /// The open case of a member that has come furthest, of those that this office sees.
    async fn furthest(&self) -> Option<Value> {
        let mut cases = self.all("transfer").await;
        cases.retain(|case| {
            let state = case["state"].as_str().unwrap_or_default();
            MACHINE.is_open(state) && state != "DISPUTED" && !case["member"].is_null()
        });
        let place = |case: &Value| place_of(case["state"].as_str().unwrap_or_default());
        // Of cases that have come as far the last one.
        cases.into_iter().max_by_key(place)
    }

    /// One of this office's members who may go, to another office.
    async fn begins_to_move(&mut self) -> Option<Done> {
        let members = self.movable().await;
        let member = self.chance.one_of(&members)?.clone();
        let (own, size) = (self.office?, self.city.size);
        let step = usize::try_from(self.chance.below(size.checked_sub(1)? as u64)).ok()?;
        let to = code_of((own + 1 + step) % size);
        Some(self.carry_out(started(&member, Some(&to)), None).await)
    }

    /// The members of this office of whom no case is open.
    pub(super) async fn movable(&self) -> Vec<String> {
        let own = self.own_office().unwrap_or_default();
        let may_go = |member: &Value| {
            member["status"] == "FULL"
                && member["holder"] == own
                && member["open_case"].is_null()
                && member["merged_into"].is_null()
        };
        let members = self.all("member").await;
        let members = members.iter().filter(|member| may_go(member));
        members
            .filter_map(|member| Some(member["id"].as_str()?.to_owned()))
            .collect()
    }
}
