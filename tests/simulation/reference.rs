//! The reference model: what must stand where, reckoned from what was written and shown, by rules of its
//! own. It imports nothing of the product.
//!
//! Of one field, the changes and the versions that their writers were shown make a tree: a change
//! stands on what it was shown. What nothing stands on is a *tip*. However the product decides between
//! tips, one of them stands in the record and every other one must lie before a person (S7). What stands
//! in a record, somebody wrote (S3). A member's tenures make one chain with one open end (S4, S5).

mod hours;
mod rules;
mod standing;

pub use hours::{Hours, Service};
pub use standing::named_and_not_there;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A change: machine, epoch, place.
pub type Id = (Name, u32, u64);
/// A record: kind and id.
pub type Key = (u16, Name);
/// One field of a record.
pub type Place = (Key, u16);

/// Sixteen bytes that name something.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Name(pub [u8; 16]);

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// What a hub has written itself: the value, by change and field.
pub type Made = BTreeMap<(Id, u16), Vec<u8>>;

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Writes values.
    Writes,
    /// Ends its record's life.
    Deletes,
    /// Brings its record back.
    Restores,
    /// Says that its record is the one that it names.
    Merges,
}

/// A change as it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wrote {
    /// Which.
    pub id: Id,
    /// Of which record.
    pub key: Key,
    /// Values by field, with the version that was shown; of a deletion only what was shown.
    pub fields: Vec<(u16, Option<Vec<u8>>, Option<Id>)>,
    /// What it does.
    pub act: Act,
    /// Of what ends a life or begins it again: the change of its life that was shown.
    pub life_base: Option<Id>,
    /// The change of a lost epoch for which it stands.
    pub replaces: Option<Id>,
    /// When, by its writer's clock.
    pub timestamp: u64,
    /// Whether it is kept and not applied: a copied machine wrote it.
    pub is_kept_only: bool,
}

/// A record as somebody sees it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Which.
    pub key: Key,
    /// To whom it belongs.
    pub office: Name,
    /// How many changes have touched it.
    pub revision: u64,
    /// Whether it was deleted.
    pub is_deleted: bool,
    /// What ended its life, or began it.
    pub life: Id,
    /// When the latest of its values counts as written (milliseconds since 1970).
    pub latest_ms: u64,
    /// What kind of record it is: who may write it.
    pub class: u8,
    /// Whether it moves by rules only, which this model does not reckon.
    pub is_case: bool,
    /// Whether offices write such records.
    pub is_offices: bool,
    /// The records that it names, by field.
    pub names: Vec<(u16, Key)>,
    /// Values by field, with their versions.
    pub fields: BTreeMap<u16, (Vec<u8>, Id)>,
}

/// What lies before a person: a conflict, or something that was set aside.
#[derive(Debug, Clone, Default)]
pub struct Item {
    /// About which record.
    pub about: Option<Key>,
    /// The changes that it names.
    pub names: Vec<Id>,
    /// The values that it shows.
    pub values: Vec<Vec<u8>>,
    /// The value that a person has put in place.
    pub settled: Option<Vec<u8>>,
    /// Whether what it names takes no effect.
    pub is_set_aside: bool,
}

/// A member's tenure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenure {
    /// Whose.
    pub member: Vec<u8>,
    /// Its number, from 1.
    pub number: u64,
    /// Who holds the member.
    pub holder: Vec<u8>,
    /// Whether it goes on.
    pub is_open: bool,
    /// Whether somebody had held the member before: it was opened by a case.
    pub is_by_case: bool,
    /// Where the member went.
    pub closed_to: Option<Vec<u8>>,
    /// Whether a merge was taken back by which the tenure before had ended.
    pub is_taken_apart: bool,
}

/// A member, as far as it matters who holds him.
#[derive(Debug, Clone, Default)]
pub struct Member {
    /// Which.
    pub key: Key,
    /// Who holds him, as he says himself.
    pub holder: Option<Name>,
    /// Who he is.
    pub person: Option<Key>,
    /// His open transfer.
    pub case: Option<Key>,
}

/// A member's transfer that has not come to its end.
#[derive(Debug, Clone, Default)]
pub struct OpenCase {
    /// Which.
    pub key: Key,
    /// Whose.
    pub member: Key,
}

/// Everything that the model looks at.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// The hub.
    pub hub: Name,
    /// All changes in the hub's journals.
    pub wrote: Vec<Wrote>,
    /// All records at the hub.
    pub rows: BTreeMap<Key, Row>,
    /// All items at the hub, open and closed.
    pub items: Vec<Item>,
    /// All tenures at the hub.
    pub tenures: Vec<Tenure>,
    /// All members at the hub.
    pub members: Vec<Member>,
    /// Their open transfers.
    pub open_cases: Vec<OpenCase>,
    /// Records that were merged, each with the one that stands for it, also those that were taken apart.
    pub joined: Vec<(Key, Key)>,
    /// Records that are gone by law or by rule.
    pub gone: BTreeSet<Name>,
    /// When the hub received the last change (milliseconds since 1970).
    pub received_ms: u64,
    /// Fields that only steps move, each with its kind of record.
    pub by_steps: BTreeSet<(u16, u16)>,
    /// Fields that belong together, by kind of record.
    pub groups: Vec<(u16, Vec<u16>)>,
    /// Volunteers' hours.
    pub hours: Hours,
}

impl Wrote {
    fn writes(&self, (key, number): Place, value: &[u8]) -> bool {
        let mut fields = self.fields.iter();
        self.key == key
            && fields
                .any(|(field, written, _)| *field == number && written.as_deref() == Some(value))
    }
}

impl Seen {
    /// The values that the hub itself has written.
    pub fn made(&self) -> Made {
        let own = self.wrote.iter().filter(|wrote| wrote.id.0 == self.hub);
        let fields = own.flat_map(|wrote| {
            let of = |(number, value, _): &(u16, Option<Vec<u8>>, Option<Id>)| {
                Some(((wrote.id, *number), value.clone()?))
            };
            wrote.fields.iter().filter_map(of)
        });
        fields.collect()
    }

    /// Whether a change is kept and not applied.
    pub fn is_kept_only(&self, id: Id) -> bool {
        let mut wrote = self.wrote.iter();
        wrote.any(|wrote| wrote.id == id && wrote.is_kept_only)
    }

    /// The changes on which others stand, field by field. `made_before` is what the hub has made and lost.
    pub fn stood_on(&self, made_before: &Made) -> BTreeMap<Place, BTreeSet<Id>> {
        self.stood_on_by(self.wrote.iter(), made_before)
    }

    /// The changes on which these stand.
    fn stood_on_by<'a>(
        &self,
        writers: impl Iterator<Item = &'a Wrote>,
        made_before: &Made,
    ) -> BTreeMap<Place, BTreeSet<Id>> {
        let mut stood_on: BTreeMap<Place, BTreeSet<Id>> = BTreeMap::new();
        let instead: BTreeMap<_, _> = self
            .wrote
            .iter()
            .filter_map(|wrote| Some((wrote.replaces?, wrote.id)))
            .collect();
        let made = self.made();
        for wrote in writers {
            for (number, _, base) in &wrote.fields {
                let place = (wrote.key, *number);
                let below = stood_on.entry(place).or_default();
                below.extend(base);
                // What stands on a change stands on the one that replaced it.
                below.extend(base.and_then(|base| instead.get(&base)));
                // What the hub has made of a change stands for it.
                let value = base.and_then(|base| {
                    let made = made.get(&(base, *number));
                    made.or_else(|| made_before.get(&(base, *number)))
                });
                if let Some(value) = value {
                    let of_others = self.wrote.iter().filter(|wrote| wrote.writes(place, value));
                    below.extend(of_others.map(|wrote| wrote.id));
                }
            }
        }
        stood_on
    }

    /// Every value that nothing stands on is in its record or lies before a person.
    pub fn dropped(&self, stood_on_before: &BTreeSet<Id>, made_before: &Made) -> Vec<String> {
        let mut tips: BTreeMap<Place, Vec<(&Wrote, &[u8])>> = BTreeMap::new();
        for wrote in self.wrote.iter().filter(|wrote| !wrote.is_kept_only) {
            // What a step has made is the hub's to reckon, and comes back with the row.
            let is_hubs = wrote.id.0 == self.hub;
            let is_made = |number| is_hubs && self.by_steps.contains(&(wrote.key.0, number));
            for (number, value, _) in &wrote.fields {
                if let Some(value) = value.as_ref().filter(|_| !is_made(*number)) {
                    let place = (wrote.key, *number);
                    tips.entry(place).or_default().push((wrote, value));
                }
            }
        }
        let stood_on = self.stood_on(made_before);
        let mut dropped = Vec::new();
        for (place, all) in &tips {
            let below = stood_on.get(place);
            let is_below = |id: &Id| {
                below.is_some_and(|below| below.contains(id)) || stood_on_before.contains(id)
            };
            // What was written anew was stood on under its former id.
            let is_stood_on = |wrote: &Wrote| {
                is_below(&wrote.id) || wrote.replaces.is_some_and(|former| is_below(&former))
            };
            let known: BTreeSet<&[u8]> = all
                .iter()
                .filter(|(wrote, value)| {
                    let mut again = self.again(*place, wrote, value);
                    self.is_shown(*place, wrote, value) || again.any(is_stood_on)
                })
                .map(|(_, value)| *value)
                .collect();
            for (wrote, value) in all {
                if !known.contains(value) && !self.gone.contains(&place.0.1) {
                    let told = self.history_of(value);
                    let value = String::from_utf8_lossy(value);
                    dropped.push(format!(
                        "field {} of {:?}: “{value}” of {:?}; {told}",
                        place.1, place.0, wrote.id
                    ));
                }
            }
        }
        dropped
    }

    /// Who wrote the same field of the same record as those who wrote a value, for people.
    pub fn history_of(&self, value: &[u8]) -> String {
        let mut places = BTreeSet::new();
        for wrote in &self.wrote {
            for (number, written, _) in &wrote.fields {
                if written.as_deref() == Some(value) {
                    places.insert((wrote.key, *number));
                }
            }
        }
        let mut told = Vec::new();
        for (key, number) in &places {
            let row = self.rows.get(key);
            let stands = row.and_then(|row| row.fields.get(number));
            let stands = stands.map(|(value, id)| (String::from_utf8_lossy(value), id));
            let revision = row.map(|row| row.revision);
            told.push(format!("there stands {stands:?}, revision {revision:?}"));
        }
        for wrote in &self.wrote {
            for (number, written, base) in &wrote.fields {
                if places.contains(&(wrote.key, *number)) {
                    let value = String::from_utf8_lossy(written.as_deref().unwrap_or_default());
                    let (id, replaces, kept) = (wrote.id, wrote.replaces, wrote.is_kept_only);
                    told.push(format!(
                        "“{value}” by {id:?} on {base:?}, in place of {replaces:?}, kept only: {kept}"
                    ));
                }
            }
        }
        told.join("; ")
    }

    /// A change, the one that it was, and each that replaces the same as it, where they say the same: that is
    /// this change again.
    fn again<'a>(
        &'a self,
        place: Place,
        wrote: &'a Wrote,
        value: &'a [u8],
    ) -> impl Iterator<Item = &'a Wrote> {
        self.wrote.iter().filter(move |other| {
            other.id == wrote.id
                || (wrote.replaces.is_some()
                    && (other.replaces == wrote.replaces || Some(other.id) == wrote.replaces)
                    && other.writes(place, value))
        })
    }

    fn is_shown(&self, (key, number): Place, wrote: &Wrote, value: &[u8]) -> bool {
        let row = self.rows.get(&key);
        let there = row.and_then(|row| row.fields.get(&number));
        let in_row = match there {
            Some((shown, version)) => shown == value || *version == wrote.id,
            None => row.is_some() && value.is_empty(),
        };
        let is_joined = || wrote.act == Act::Merges && self.are_one(key, value);
        in_row
            || is_joined()
            || self.again((key, number), wrote, value).any(|same| {
                let mut items = self.items.iter();
                items.any(|item| item.shows(key, same.id, value))
            })
    }

    /// Every value in a record was written for that field by somebody.
    pub fn invented(&self) -> Vec<String> {
        let mut written: BTreeSet<(Place, &[u8])> = BTreeSet::new();
        for wrote in &self.wrote {
            for (number, value, _) in &wrote.fields {
                let value = value.as_deref().unwrap_or_default();
                written.insert(((wrote.key, *number), value));
            }
        }
        let mut invented = Vec::new();
        for row in self.rows.values().filter(|row| !row.is_case) {
            for (number, (value, _)) in &row.fields {
                let place = (row.key, *number);
                if !value.is_empty() && !written.contains(&(place, value)) {
                    let value = String::from_utf8_lossy(value);
                    invented.push(format!("field {number} of {:?}: “{value}”", row.key));
                }
            }
        }
        invented
    }

    /// What is wrong with the chain of somebody's tenures.
    pub fn broken_tenures(&self) -> Vec<String> {
        let mut sorted = self.tenures.clone();
        sorted.sort();
        let mut broken = Vec::new();
        for all in sorted.chunk_by(|one, other| one.member == other.member) {
            let open = all.iter().filter(|tenure| tenure.is_open).count();
            if open > 1 {
                broken.push(format!("{open} organisations hold one member: {all:?}"));
            }
            if let Some(first) = all.first().filter(|first| first.is_by_case) {
                broken.push(format!("who held the member before {first:?} is not known"));
            }
            for (tenure, number) in all.iter().zip(1..) {
                let next = all.get(usize::try_from(number).unwrap_or(usize::MAX));
                let is_last = next.is_none();
                if tenure.number != number || (tenure.is_open && !is_last) {
                    broken.push(format!("not one chain: {all:?}"));
                }
                // Who was merged went nowhere when that was taken back.
                let next = next.filter(|next| !next.is_taken_apart);
                let leads_on = tenure.closed_to.as_ref().zip(next);
                if leads_on.is_some_and(|(to, next)| *to != next.holder) {
                    broken.push(format!("a link leads elsewhere: {all:?}"));
                }
            }
        }
        broken
    }

    /// Journals that go back in time, or leave a place out.
    pub fn broken_journals(&self) -> Vec<String> {
        let mut last: BTreeMap<(Name, u32), (u64, u64)> = BTreeMap::new();
        let mut sorted: Vec<_> = self.wrote.iter().collect();
        sorted.sort_by_key(|wrote| wrote.id);
        let mut broken = Vec::new();
        for wrote in sorted {
            let (node, epoch, sequence) = wrote.id;
            let (place, time) = last.entry((node, epoch)).or_default();
            if sequence != *place + 1 {
                broken.push(format!("S9: {:?} follows place {place}", wrote.id));
            }
            *place = sequence;
            // What the hub makes bears the time at which it received what it decides, which may have
            // waited; what stands for a change of a lost epoch bears that one's.
            if node == self.hub || wrote.replaces.is_some() {
                continue;
            }
            if wrote.timestamp <= *time {
                broken.push(format!("S10: the clock goes back at {:?}", wrote.id));
            }
            *time = wrote.timestamp;
        }
        broken
    }
}

impl Item {
    fn shows(&self, about: Key, id: Id, value: &[u8]) -> bool {
        let shows_value = || self.values.iter().any(|shown| is_part(value, shown));
        self.names.contains(&id) || (self.about == Some(about) && shows_value())
    }

    /// Whether a person has put this value in place.
    fn has_settled(&self, about: Key, value: &[u8]) -> bool {
        let mut settled = self.settled.iter();
        self.about == Some(about) && settled.any(|settled| is_part(value, settled))
    }
}

/// Whether a value stands in the values of several fields.
fn is_part(value: &[u8], all: &[u8]) -> bool {
    !value.is_empty() && all.windows(value.len()).any(|part| part == value)
}

/// Where two see one record differently; with whose it is and what kind of record, if `is_exact`: no digest counts
/// these.
pub fn difference(one: &Row, other: &Row, is_exact: bool) -> Option<String> {
    if is_exact && (one.office, one.class) != (other.office, other.class) {
        let (one, other) = ((one.office, one.class), (other.office, other.class));
        return Some(format!("office and class {one:?} and {other:?}"));
    }
    if one.revision != other.revision || one.is_deleted != other.is_deleted {
        return Some(format!("revision {} and {}", one.revision, other.revision));
    }
    let of = |row: &Row| -> BTreeMap<u16, Vec<u8>> {
        let fields = row
            .fields
            .iter()
            .filter(|(_, (value, _))| !value.is_empty());
        fields
            .map(|(number, (value, _))| (*number, value.clone()))
            .collect()
    };
    let (one, other) = (of(one), of(other));
    (one != other).then(|| format!("{one:?} and {other:?}"))
}

/// Whether two count a record as written last at times that lie further apart than so many milliseconds.
pub fn time_between(one: &Row, other: &Row, slack_ms: u64) -> Option<String> {
    let apart = one.latest_ms.abs_diff(other.latest_ms);
    (apart > slack_ms).then(|| format!("written {apart} ms apart"))
}
