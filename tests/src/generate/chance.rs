//! Numbers by chance that can be had again: SplitMix64 (Steele, Lea, Flood 2014).
//!
//! The state is one counter that grows by a fixed odd number; each output is the counter, mixed.
//! It passes the usual tests of randomness, has no bad seeds, and any number of independent streams
//! is had by mixing a label into the seed. It is no source of secrets.

/// The golden ratio as a fraction of 2^64, made odd: what the counter grows by.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

/// A generator of numbers that follow from its seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// A generator with this seed.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Another generator, that follows from `seed` and `label` only: one for each row or purpose.
    pub fn of(seed: u64, label: u64) -> Self {
        Self::new(mix(seed).wrapping_add(mix(label ^ STEP)))
    }

    /// The next number, any of 64 bits.
    pub fn any(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mix(self.state)
    }

    /// A number from 0 to below `end`; 0 if `end` is 0. The first numbers are more likely by at
    /// most `end` in 2^64.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.any()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or_default()
    }

    /// A number from `first` to `last`, both among them; `first` if `last` is not above it.
    pub fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// Whether something with this probability happens; never for 0 or less, always for 1 or more.
    pub fn happens(&mut self, probability: f64) -> bool {
        // 32 bits are exact in an f64 and enough for shares of rows.
        let drawn = u32::try_from(self.any() >> 32).unwrap_or(u32::MAX);
        f64::from(drawn) / 4_294_967_296.0 < probability
    }

    /// One of the items.
    ///
    /// # Panics
    /// Where there are none.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.place(items.len())]
    }

    /// One of the words.
    ///
    /// # Panics
    /// Where there are none.
    pub fn word<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.place(words.len())]
    }

    /// One of the items, each as likely as its weight says.
    ///
    /// # Panics
    /// Where there are none.
    pub fn weighted<T: Copy>(&mut self, items: &[(T, u32)]) -> T {
        let total: u64 = items.iter().map(|(_, weight)| u64::from(*weight)).sum();
        let mut drawn = self.below(total);
        for (item, weight) in items {
            match drawn.checked_sub(u64::from(*weight)) {
                Some(rest) => drawn = rest,
                None => return *item,
            }
        }
        items[0].0
    }

    /// A place in a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        let end = u64::try_from(length).unwrap_or(u64::MAX);
        usize::try_from(self.below(end)).unwrap_or_default()
    }
}

/// The output function: two rounds of shift, xor and multiply, so that every bit of the counter
/// reaches every bit of the output.
fn mix(counter: u64) -> u64 {
    let mut mixed = counter;
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_published_generator() {
        let mut chance = Chance::new(1_234_567);
        let first = [chance.any(), chance.any(), chance.any()];
        let published = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
        ];
        assert_eq!(first, published);
    }

    #[test]
    fn bounds_hold_and_shares_come_out() {
        let mut chance = Chance::of(1, 2);
        let mut hits = 0;
        for _ in 0..10_000 {
            assert!((3..=9).contains(&chance.between(3, 9)));
            assert!(chance.below(5) < 5);
            hits += u32::from(chance.happens(0.25));
        }
        assert!((2_300..2_700).contains(&hits), "{hits}");
        assert_eq!(chance.below(0), 0);
        assert!(!chance.happens(0.0) && chance.happens(1.0));
        let mut heavy = 0;
        for _ in 0..1_000 {
            heavy += u32::from(chance.weighted(&[(true, 9), (false, 1)]));
        }
        assert!((850..950).contains(&heavy), "{heavy}");
    }

    #[test]
    fn streams_of_one_seed_differ() {
        assert_ne!(Chance::of(1, 0).any(), Chance::of(1, 1).any());
        assert_ne!(Chance::of(0, 1).any(), Chance::of(1, 0).any());
    }
}
