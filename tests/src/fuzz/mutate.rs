//! Changes inputs by chance that can be had again: what libFuzzer does, for a machine without it.

use crate::generate::Chance;

/// The longest input.
pub(super) const BYTES_MAX: usize = 64 * 1024;
/// Changes to one input.
const CHANGES_MAX: u64 = 6;
/// Numbers at which something ends.
const EDGES: [&[u8]; 12] = [
    b"\x00",
    b"\x7f",
    b"\x80",
    b"\xff",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x80\x80\x00",
    b"\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
    b"\xed\xa0\x80",
    b"\xe2\x80\xae",
    b"\xf0\xa0\x80\x80",
];

/// Another input, made of one of the known ones.
pub(super) fn mutated(known: &[Vec<u8>], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = match known {
        [] => Vec::new(),
        some => chance.pick(some).clone(),
    };
    for _ in 0..chance.between(1, CHANGES_MAX) {
        change(&mut bytes, known, chance);
    }
    bytes.truncate(BYTES_MAX);
    bytes
}

fn change(bytes: &mut Vec<u8>, known: &[Vec<u8>], chance: &mut Chance) {
    let at = chance.place(bytes.len() + 1);
    let run = chance.place(bytes.len().saturating_sub(at).min(64) + 1);
    match chance.below(10) {
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << chance.below(8);
            }
        }
        2 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte = low_byte(chance.any());
            }
        }
        3 => drop(bytes.drain(at..at + run)),
        4 => {
            let again = bytes[at..at + run].to_vec();
            insert(bytes, at, &again);
        }
        5 => {
            let edge = *chance.pick(&EDGES);
            insert(bytes, at, edge);
        }
        6 => {
            let edge = *chance.pick(&EDGES);
            let end = (at + edge.len()).min(bytes.len());
            bytes.splice(at..end, edge.iter().copied());
        }
        7 => bytes.truncate(at),
        8 if !known.is_empty() => {
            // The rest of another one.
            let other = chance.pick(known);
            let from = chance.place(other.len() + 1);
            bytes.truncate(at);
            bytes.extend_from_slice(&other[from..]);
        }
        _ => {
            let random: Vec<u8> = (0..chance.between(1, 8))
                .map(|_| low_byte(chance.any()))
                .collect();
            insert(bytes, at, &random);
        }
    }
}

fn insert(bytes: &mut Vec<u8>, at: usize, inserted: &[u8]) {
    bytes.splice(at..at, inserted.iter().copied());
}

const fn low_byte(number: u64) -> u8 {
    number.to_le_bytes()[0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs_and_they_differ_among_each_other() {
        let known = vec![b"one input".to_vec(), b"another".to_vec()];
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..200)
                .map(|_| mutated(&known, &mut chance))
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        let mut drawn = draw(1);
        drawn.sort();
        drawn.dedup();
        assert!(drawn.len() > 180, "{}", drawn.len());
        assert!(mutated(&[], &mut Chance::new(1)).len() <= BYTES_MAX);
    }
}
