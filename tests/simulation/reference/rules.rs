//! More of what the model reckons: deletions, fields that belong together, and time.

use std::collections::{BTreeMap, BTreeSet};

use super::{Act, Id, Item, Key, Made, Name, Place, Row, Seen, Wrote};

impl Seen {
    /// Fields that have one tip, in which nevertheless something else stands: nobody disagreed with what
    /// was written last.
    pub fn overruled(&self) -> Vec<String> {
        // A deletion names what it was shown, and puts nothing above it.
        let writers = self.wrote.iter().filter(|wrote| wrote.act != Act::Deletes);
        let stood_on = self.stood_on_by(writers, &Made::new());
        let mut tips: BTreeMap<Place, BTreeMap<&[u8], Vec<Id>>> = BTreeMap::new();
        for wrote in &self.wrote {
            for (number, value, _) in &wrote.fields {
                let place = (wrote.key, *number);
                let below = stood_on.get(&place);
                let is_below = |id: &Id| below.is_some_and(|below| below.contains(id));
                let is_tip =
                    !is_below(&wrote.id) && !wrote.replaces.is_some_and(|former| is_below(&former));
                if let Some(value) = value.as_deref().filter(|_| is_tip) {
                    let same = tips.entry(place).or_default().entry(value).or_default();
                    same.push(wrote.id);
                }
            }
        }
        // What was set aside, or a copied machine wrote, takes no effect, and a person sees why.
        let set_aside = self.items.iter().filter(|item| item.is_set_aside);
        let kept_only = self.wrote.iter().filter(|wrote| wrote.is_kept_only);
        let without_effect: BTreeSet<_> = set_aside
            .flat_map(|item| &item.names)
            .chain(kept_only.map(|wrote| &wrote.id))
            .collect();
        // Of fields that belong together all are disputed where one is.
        let is_disputed = |place: &Place| tips.get(place).is_some_and(|tips| tips.len() > 1);
        let mut overruled = Vec::new();
        for ((key, number), tips) in &tips {
            let Some(row) = self
                .rows
                .get(key)
                .filter(|row| !row.is_case && !row.is_deleted)
            else {
                continue;
            };
            let mut groups = self.groups.iter();
            let group = groups.find(|(kind, group)| *kind == key.0 && group.contains(number));
            let mut beside = group.into_iter().flat_map(|(_, group)| group);
            if beside.any(|beside| is_disputed(&(*key, *beside))) {
                continue;
            }
            let there = row
                .fields
                .get(number)
                .map_or(&[][..], |(value, _)| value.as_slice());
            // Who is merged into what he stands for already is one with it.
            let is_joined = |value, ids: &[Id]| {
                let merges = |wrote: &Wrote| wrote.act == Act::Merges && ids.contains(&wrote.id);
                self.wrote.iter().any(merges) && self.are_one(*key, value)
            };
            if let [(value, ids)] = tips.iter().collect::<Vec<_>>().as_slice()
                && **value != there
                && !ids.iter().any(|id| without_effect.contains(id))
                && !is_joined(value, ids)
            {
                overruled.push(format!(
                    "field {number} of {key:?}; {}",
                    self.history_of(value)
                ));
            }
        }
        overruled
    }

    /// Deletions of which nothing is left: the record lives, nobody brought it back, and no item names who
    /// wanted to delete it.
    pub fn lost_deletions(&self) -> Vec<String> {
        let named: BTreeSet<_> = self.items.iter().flat_map(|item| &item.names).collect();
        let restored: BTreeSet<_> = self
            .wrote
            .iter()
            .filter(|wrote| wrote.act == Act::Restores)
            .collect();
        let is_restored = |key| restored.iter().any(|wrote| wrote.key == key);
        let lives = |key| self.rows.get(&key).is_some_and(|row| !row.is_deleted);
        let lost = self.deletions().filter(|wrote| {
            lives(wrote.key) && !named.contains(&wrote.id) && !is_restored(wrote.key)
        });
        lost.map(|wrote| format!("{:?} of {:?}", wrote.id, wrote.key))
            .collect()
    }

    /// Restorations of which nothing is left: the record is still deleted by what was to be taken back, and no item
    /// names who wanted it back.
    pub fn lost_restorations(&self) -> Vec<String> {
        let named: BTreeSet<_> = self.items.iter().flat_map(|item| &item.names).collect();
        let lost = self.wrote.iter().filter(|wrote| {
            let is_its_own = !wrote.is_kept_only && wrote.replaces.is_none();
            let row = self.rows.get(&wrote.key).filter(|row| row.is_deleted);
            wrote.act == Act::Restores
                && is_its_own
                && row.is_some_and(|row| wrote.life_base == Some(row.life))
                && !named.contains(&wrote.id)
        });
        lost.map(|wrote| format!("{:?} of {:?}", wrote.id, wrote.key))
            .collect()
    }

    /// Records that were deleted by somebody who had not seen a value that stands there. What a person has
    /// settled may have been put there afterwards.
    pub fn deleted_unseen(&self) -> Vec<String> {
        let wrote: BTreeMap<Id, &Wrote> =
            self.wrote.iter().map(|wrote| (wrote.id, wrote)).collect();
        let mut unseen = Vec::new();
        for deletion in self.deletions() {
            let row = self.rows.get(&deletion.key);
            let Some(row) = row.filter(|row| row.is_deleted && row.life == deletion.id) else {
                continue;
            };
            for (number, (value, version)) in &row.fields {
                let shown = deletion.fields.iter().find(|(named, ..)| named == number);
                let base = shown.and_then(|(_, _, base)| *base);
                // Somebody wrote the same value beside: that is as good as seen.
                let same = |base: Id| {
                    let there = wrote
                        .get(&base)?
                        .fields
                        .iter()
                        .find(|(named, ..)| named == number)?;
                    there.1.as_ref().map(|shown| shown == value)
                };
                let is_seen =
                    base == Some(*version) || base.is_some_and(|base| same(base) != Some(false));
                let settles = |item: &Item| item.has_settled(row.key, value);
                if !is_seen && !self.items.iter().any(settles) {
                    unseen.push(format!(
                        "field {number} of {:?} by {:?}",
                        row.key, deletion.id
                    ));
                }
            }
        }
        unseen
    }

    fn deletions(&self) -> impl Iterator<Item = &Wrote> {
        let all = self.wrote.iter();
        all.filter(|wrote| {
            wrote.act == Act::Deletes && !wrote.is_kept_only && wrote.replaces.is_none()
        })
    }

    /// Whether merges lead from both records to one: who is merged already is merged as what stands for him.
    pub(super) fn are_one(&self, one: Key, other: &[u8]) -> bool {
        let Ok(other) = other.try_into().map(Name) else {
            return false;
        };
        let lead_to = |key| {
            let mut all = vec![key];
            let mut at = 0;
            while let Some(key) = all.get(at).copied() {
                let next = self.joined.iter().filter(|(from, _)| *from == key);
                let new: Vec<_> = next
                    .map(|(_, to)| *to)
                    .filter(|to| !all.contains(to))
                    .collect();
                all.extend(new);
                at += 1;
            }
            all
        };
        let of_other = lead_to((one.0, other));
        lead_to(one).iter().any(|key| of_other.contains(key))
    }

    /// Records whose fields that belong together come from different changes.
    pub fn split_groups(&self) -> Vec<String> {
        let mut split = Vec::new();
        for (kind, group) in &self.groups {
            for row in self.rows.values().filter(|row| row.key.0 == *kind) {
                let fields = group.iter().filter_map(|number| row.fields.get(number));
                let versions: BTreeSet<_> = fields
                    .filter(|(value, _)| !value.is_empty())
                    .map(|(_, version)| *version)
                    .collect();
                if versions.len() > 1 {
                    split.push(format!("{group:?} of {:?}: {versions:?}", row.key));
                }
            }
        }
        split
    }

    /// Values that count as written later than the hub has received anything.
    pub fn ahead_of_time(&self) -> Vec<String> {
        let is_ahead = |row: &&Row| row.latest_ms > self.received_ms;
        let ahead = self.rows.values().filter(is_ahead);
        ahead
            .map(|row| {
                format!(
                    "{:?}: {} after {}",
                    row.key, row.latest_ms, self.received_ms
                )
            })
            .collect()
    }
}
