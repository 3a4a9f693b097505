//! Where members stand, and whether what is named is there.

use super::{Key, Row, Seen};

/// Of living records, what they name that is not there.
pub fn named_and_not_there<'a>(
    rows: impl Iterator<Item = &'a Row>,
    is_there: impl Fn(&Key) -> bool,
) -> Vec<String> {
    let mut lacking = Vec::new();
    for row in rows.filter(|row| !row.is_deleted) {
        for (field, named) in row.names.iter().filter(|(_, named)| !is_there(named)) {
            lacking.push(format!("{named:?} in field {field} of {:?}", row.key));
        }
    }
    lacking
}

impl Seen {
    /// What living records at the hub name, and what neither is there nor was removed by rule.
    pub fn dangling(&self) -> Vec<String> {
        let is_there = |key: &Key| self.rows.contains_key(key) || self.gone.contains(&key.1);
        named_and_not_there(self.rows.values(), is_there)
    }

    /// Members who do not stand where they are held: with another office than their holder, with another office's
    /// record of their person, or with a transfer that is not theirs; and open transfers of which the member does
    /// not know.
    pub fn misplaced(&self) -> Vec<String> {
        let mut misplaced = Vec::new();
        for member in &self.members {
            let Some(row) = self.rows.get(&member.key) else {
                continue;
            };
            let office = row.office;
            if member.holder.is_some_and(|holder| holder != office) {
                misplaced.push(format!("{member:?} stands with {office:?}"));
            }
            let person = member.person.and_then(|person| self.rows.get(&person));
            if person.is_some_and(|person| person.office != office) {
                misplaced.push(format!("{member:?} of {office:?} is another's person"));
            }
            let is_his = |case: Key| {
                let mut open = self.open_cases.iter();
                open.any(|open| open.key == case && open.member == member.key)
            };
            if member.case.is_some_and(|case| !is_his(case)) {
                misplaced.push(format!("{member:?} has no such open transfer"));
            }
        }
        for open in &self.open_cases {
            let mut members = self.members.iter();
            let knows = members.any(|one| one.key == open.member && one.case == Some(open.key));
            if !knows {
                misplaced.push(format!("{open:?} is not his open transfer"));
            }
        }
        misplaced
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::{Act, Id, Member, Name, OpenCase, Wrote, difference, time_between};
    use super::*;

    const HOLDER: Name = Name([1; 16]);
    const OTHER: Name = Name([2; 16]);
    const MEMBER: Key = (3, Name([3; 16]));
    const PERSON: Key = (2, Name([4; 16]));
    const CASE: Key = (5, Name([5; 16]));

    fn row(key: Key, office: Name) -> Row {
        Row {
            key,
            office,
            revision: 1,
            is_deleted: false,
            life: (HOLDER, 1, 1),
            latest_ms: 0,
            class: 0,
            is_case: false,
            is_offices: true,
            names: Vec::new(),
            fields: BTreeMap::new(),
        }
    }

    /// A member with his person and his open transfer, all as it should be.
    fn city() -> Seen {
        let mut seen = Seen::default();
        for key in [MEMBER, PERSON, CASE] {
            seen.rows.insert(key, row(key, HOLDER));
        }
        seen.members.push(Member {
            key: MEMBER,
            holder: Some(HOLDER),
            person: Some(PERSON),
            case: Some(CASE),
        });
        seen.open_cases.push(OpenCase {
            key: CASE,
            member: MEMBER,
        });
        seen
    }

    /// S4: each way in which a member can stand where he is not held is seen.
    #[test]
    fn a_member_who_stands_elsewhere_is_seen() {
        assert!(city().misplaced().is_empty());
        let moved = |key| {
            let mut seen = city();
            seen.rows.insert(key, row(key, OTHER));
            seen.misplaced().len()
        };
        // The member alone is with another office than his holder, and than his person.
        assert_eq!((moved(MEMBER), moved(PERSON), moved(CASE)), (2, 1, 0));
        let mut seen = city();
        seen.open_cases.clear();
        assert_eq!(seen.misplaced().len(), 1, "a transfer that is over");
        let mut seen = city();
        seen.members[0].case = None;
        assert_eq!(
            seen.misplaced().len(),
            1,
            "a transfer that he does not know"
        );
    }

    /// S13: what a living record names is there, or was removed by rule.
    #[test]
    fn what_is_named_and_not_there_is_seen() {
        let mut seen = city();
        let mut naming = row(MEMBER, HOLDER);
        naming.names = vec![(1, PERSON)];
        seen.rows.insert(MEMBER, naming.clone());
        assert!(seen.dangling().is_empty());
        seen.rows.remove(&PERSON);
        assert_eq!(seen.dangling().len(), 1);
        seen.gone.insert(PERSON.1);
        assert!(seen.dangling().is_empty());
        seen.gone.clear();
        naming.is_deleted = true;
        seen.rows.insert(MEMBER, naming);
        assert!(
            seen.dangling().is_empty(),
            "of what is deleted nothing is asked"
        );
    }

    /// S7: who wanted a record back has it, or a person sees that he does not.
    #[test]
    fn a_restoration_of_which_nothing_is_left_is_seen() {
        let (deletion, restoration): (Id, Id) = ((HOLDER, 1, 2), (HOLDER, 1, 3));
        let mut seen = city();
        let mut deleted = row(PERSON, HOLDER);
        (deleted.is_deleted, deleted.life) = (true, deletion);
        seen.rows.insert(PERSON, deleted.clone());
        seen.wrote.push(Wrote {
            id: restoration,
            key: PERSON,
            fields: Vec::new(),
            act: Act::Restores,
            life_base: Some(deletion),
            replaces: None,
            timestamp: 0,
            is_kept_only: false,
        });
        assert_eq!(seen.lost_restorations().len(), 1);
        // Somebody has deleted it again.
        deleted.life = (OTHER, 1, 1);
        seen.rows.insert(PERSON, deleted);
        assert!(seen.lost_restorations().is_empty());
    }

    /// S13: of what no digest counts node and hub say the same.
    #[test]
    fn office_class_and_time_are_compared() {
        let (one, mut other) = (row(MEMBER, HOLDER), row(MEMBER, OTHER));
        assert!(difference(&one, &other, true).is_some());
        assert!(difference(&one, &other, false).is_none());
        other.office = HOLDER;
        other.class = 2;
        assert!(difference(&one, &other, true).is_some());
        other.class = 0;
        other.latest_ms = 61_000;
        assert!(difference(&one, &other, true).is_none());
        assert!(time_between(&one, &other, 60_000).is_some());
        assert!(time_between(&one, &other, 61_000).is_none());
    }
}
