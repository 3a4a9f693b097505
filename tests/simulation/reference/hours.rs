//! Volunteers' hours: whoever stands in the books more than once is one, and is in one place at a time and says nothing
//! of his own hours (`domain.md` 5.5, `VOL-003` and `VOL-004`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Id, Key};

/// Somebody's service, once it is known from when until when it was.
#[derive(Debug, Clone)]
pub struct Service {
    /// Which.
    pub key: Key,
    /// Whose.
    pub volunteer: Key,
    /// From when until when (milliseconds since 1970).
    pub time: (i64, i64),
    /// The change that said so.
    pub timed_by: Id,
    /// The one in whose place it stands.
    pub corrects: Option<Key>,
    /// Whether it was neither refused nor made void: from those nothing leads back.
    pub is_counted: bool,
    /// Whether it says that he was elsewhere too.
    pub is_flagged: bool,
}

/// Who served when, and who said so.
#[derive(Debug, Default, Clone)]
pub struct Hours {
    /// All services whose time is known.
    pub services: Vec<Service>,
    /// What was decided about hours: the service, and the name of who decided.
    pub decided: Vec<(Key, String)>,
    /// Volunteers, each with the person whom it has named from its beginning.
    pub people: Vec<(Key, Key)>,
    /// What people have been called from the beginning.
    pub called: BTreeMap<Key, String>,
    /// Merges that stand, of two records, each with the hub's change that made it.
    pub merged: Vec<((Key, Key), Id)>,
}

impl Hours {
    /// All records of whom a volunteer's record is, as far as the hub knew it before it wrote a change; without one, by
    /// no merge. Of what an office wrote nobody knows what the hub had merged before.
    fn of_one(&self, volunteer: Key, before: Option<Id>) -> BTreeSet<Key> {
        let was_made = |by: &Id| before.is_some_and(|before| by.0 == before.0 && *by < before);
        let merged = self.merged.iter().filter(|(_, by)| was_made(by));
        let pairs: Vec<_> = merged
            .map(|(pair, _)| *pair)
            .chain(self.people.iter().copied())
            .collect();
        let mut all = BTreeSet::from([volunteer]);
        loop {
            let known = all.len();
            for (one, other) in &pairs {
                if all.contains(one) || all.contains(other) {
                    all.extend([*one, *other]);
                }
            }
            if all.len() == known {
                return all;
            }
        }
    }

    /// Services of one person at the same time of which not both say so.
    pub fn unflagged(&self) -> Vec<String> {
        let mut unflagged = Vec::new();
        for (place, one) in self.services.iter().enumerate() {
            for other in self.services.iter().skip(place + 1) {
                let is_known = one.is_flagged && other.is_flagged;
                if !is_known && one.is_beside(other) && self.is_of_one(one, other) {
                    unflagged.push(format!("{one:?} and {other:?}"));
                }
            }
        }
        unflagged
    }

    /// Whether two services were one person's, so far as the hub knew when the later one's time became known.
    fn is_of_one(&self, one: &Service, other: &Service) -> bool {
        let is_one_journal = one.timed_by.0 == other.timed_by.0;
        let later = is_one_journal.then(|| one.timed_by.max(other.timed_by));
        self.of_one(one.volunteer, later).contains(&other.volunteer)
    }

    /// Hours about which somebody decided who has them himself.
    pub fn own(&self) -> Vec<String> {
        let mut own = Vec::new();
        for (key, by) in &self.decided {
            let mut services = self.services.iter();
            let Some(service) = services.find(|service| service.key == *key) else {
                continue;
            };
            // Nothing is decided of hours before their time is known.
            let all = self.of_one(service.volunteer, Some(service.timed_by));
            if all.iter().any(|one| self.called.get(one) == Some(by)) {
                own.push(format!("{service:?} by {by}"));
            }
        }
        own
    }
}

impl Service {
    /// Whether both count, neither in the other's place, and share some time.
    fn is_beside(&self, other: &Self) -> bool {
        let is_instead = self.corrects == Some(other.key) || other.corrects == Some(self.key);
        let both_count = self.is_counted && other.is_counted;
        !is_instead && both_count && self.time.0 < other.time.1 && other.time.0 < self.time.1
    }
}

#[cfg(test)]
mod tests {
    use super::super::Name;
    use super::*;

    const HUB: Name = Name([9; 16]);
    const OFFICE: Name = Name([8; 16]);
    const ALL: [Key; 2] = [(8, Name([1; 16])), (8, Name([2; 16]))];
    const PEOPLE: [Key; 2] = [(1, Name([3; 16])), (1, Name([4; 16]))];

    /// Two volunteers of two people, who were in two places at once as of the hub's changes 10 and 20, and of whom the
    /// second, by name, decided about the hours of the first.
    fn two() -> Hours {
        let service = |place: u8, timed_by| Service {
            key: (12, Name([10 + place; 16])),
            volunteer: ALL[usize::from(place)],
            time: (1_000, 2_000),
            timed_by: (HUB, 1, timed_by),
            corrects: None,
            is_counted: true,
            is_flagged: false,
        };
        let names = ["林一", "林壹"].map(str::to_owned);
        Hours {
            services: vec![service(0, 10), service(1, 20)],
            decided: vec![((12, Name([10; 16])), "林壹".to_owned())],
            people: ALL.into_iter().zip(PEOPLE).collect(),
            called: PEOPLE.into_iter().zip(names).collect(),
            merged: Vec::new(),
        }
    }

    fn found(hours: &Hours) -> (usize, usize) {
        (hours.unflagged().len(), hours.own().len())
    }

    /// `VOL-003`, `VOL-004`: who is one by his volunteers or by his people is seen; nobody is asked for what was merged
    /// afterwards.
    #[test]
    fn whoever_was_merged_before_is_one() {
        assert_eq!(found(&two()), (0, 0), "two people");
        for pair in [(ALL[0], ALL[1]), (PEOPLE[1], PEOPLE[0])] {
            let merged_at = |place| {
                let mut hours = two();
                hours.merged.push((pair, (HUB, 1, place)));
                found(&hours)
            };
            assert_eq!(merged_at(9), (1, 1));
            assert_eq!(merged_at(15), (1, 0), "after the first hours were decided");
            assert_eq!(merged_at(21), (0, 0), "after both");
        }
    }

    /// `VOL-003`: what is flagged on one side only is seen; what does not count, or shares no time, is not asked for.
    #[test]
    fn both_sides_say_that_he_was_elsewhere() {
        let same = |change: fn(&mut Service)| {
            let mut hours = two();
            hours.people[1].1 = PEOPLE[0];
            change(&mut hours.services[1]);
            hours.unflagged().len()
        };
        assert_eq!(same(|_| {}), 1);
        assert_eq!(same(|second| second.is_flagged = true), 1);
        assert_eq!(same(|second| second.timed_by.0 = OFFICE), 1);
        assert_eq!(same(|second| second.is_counted = false), 0);
        assert_eq!(same(|second| second.time = (2_000, 3_000)), 0);
        assert_eq!(
            same(|second| second.corrects = Some((12, Name([10; 16])))),
            0
        );
        let mut hours = two();
        hours.people[1].1 = PEOPLE[0];
        for service in &mut hours.services {
            service.is_flagged = true;
        }
        assert!(hours.unflagged().is_empty());
        hours.services[1].timed_by.0 = OFFICE;
        hours.merged.push(((ALL[0], ALL[1]), (HUB, 1, 9)));
        hours.people.clear();
        hours.services[1].is_flagged = false;
        assert!(hours.unflagged().is_empty(), "nobody knows which was first");
    }
}
