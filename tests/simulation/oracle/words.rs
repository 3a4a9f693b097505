//! Words by which it is known what became of what somebody did: those that stand in a record and nowhere else, and the
//! name under which one line was carried out.

use std::collections::BTreeSet;

use domain::change::{Change, Verb};

/// How words begin that stand in a record.
pub const TOKEN: &str = "token-";
/// How the name begins under which one line is carried out; then what its words say behind [`TOKEN`], and the line.
pub const HAND: &str = "hand-";

/// The words that somebody entered with a change, and his name.
pub(super) fn words_of(change: &Change) -> BTreeSet<String> {
    let hand = hand_of(change);
    let mut words = tokens_of(change);
    // Who enters again what was set aside says the words of another line.
    words.retain(|token| hand.is_none_or(|hand| is_of(token, hand)));
    words.extend(hand.map(str::to_owned));
    words
}

/// The name of one line under which a change was entered.
pub(super) fn hand_of(change: &Change) -> Option<&str> {
    let actor = change.header.actor.as_str();
    actor.starts_with(HAND).then_some(actor)
}

/// Whether words are those of the line that has this name.
fn is_of(token: &str, hand: &str) -> bool {
    let line = hand.strip_prefix(HAND);
    let words = token.strip_prefix(TOKEN);
    line.zip(words)
        .is_some_and(|(line, words)| line.starts_with(words))
}

/// The words that stand in the values of a change that somebody entered.
pub(super) fn tokens_of(change: &Change) -> BTreeSet<String> {
    // A settlement says the words of what it settles.
    if !matches!(change.header.verb, Verb::Create | Verb::Set) {
        return BTreeSet::new();
    }
    let fields = change.body.fields.iter();
    fields.filter_map(|field| token_in(&field.value)).collect()
}

/// The words that a value is, or the name.
pub(super) fn token_in(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?;
    let is_token = text.starts_with(TOKEN) || text.starts_with(HAND);
    is_token.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use domain::change::{Body, FieldChange, Header};
    use domain::clock::Timestamp;
    use domain::id::{ChangeId, NodeId, RecordId};
    use domain::kind::Class;
    use domain::kinds::person;

    use super::*;

    fn change(verb: Verb, actor: &str, values: &[&str]) -> Change {
        let field = |(number, value): (u16, &&str)| FieldChange {
            number,
            value: value.as_bytes().to_vec(),
            base: None,
        };
        Change {
            id: ChangeId {
                node: NodeId::new([1; 16]),
                epoch: 1,
                sequence: 1,
            },
            header: Header {
                record: RecordId::new([2; 16]),
                kind: person::KIND_NUMBER,
                class: Class::Shared,
                verb,
                timestamp: Timestamp::at(0),
                actor: actor.to_owned(),
                group: None,
                tenure: None,
                clock_suspect: false,
                replaces: None,
            },
            body: Body {
                fields: (1..).zip(values).map(field).collect(),
                ..Body::default()
            },
        }
    }

    fn words(verb: Verb, actor: &str, values: &[&str]) -> Vec<String> {
        words_of(&change(verb, actor, values)).into_iter().collect()
    }

    /// S1: whatever somebody does is known by his name, also what writes no words.
    #[test]
    fn every_verb_is_known_by_its_writers_name() {
        for verb in [Verb::Delete, Verb::Restore, Verb::Step, Verb::Merge] {
            assert_eq!(words(verb, "hand-7-1-", &["token-7-"]), ["hand-7-1-"]);
            assert!(words(verb, "经办人", &["token-7-"]).is_empty());
        }
        let said = words(Verb::Set, "hand-7.1-2-", &["x", "token-7.1-"]);
        assert_eq!(said, ["hand-7.1-2-", "token-7.1-"]);
        assert_eq!(words(Verb::Set, "desk", &["token-7-"]), ["token-7-"]);
    }

    /// S2: words that stand again in what another line wrote anew are not entered twice.
    #[test]
    fn words_are_those_of_their_own_line() {
        let said = words(
            Verb::Create,
            "hand-71-1-",
            &["token-7-", "hand-7-1-", "token-71-"],
        );
        assert_eq!(said, ["hand-71-1-", "token-71-"]);
        assert!(words(Verb::Set, "hand-7-1-", &["token-7.1-"]).len() == 1);
    }
}
