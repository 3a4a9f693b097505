//! Randomness that follows from the seed alone.

/// A seed that follows from a name, whatever stands before it in a list.
pub fn seed_of(name: &str) -> u64 {
    let hash = blake3::hash(name.as_bytes());
    let first = hash.as_bytes().iter().take(8);
    first.fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

/// A stream of draws for one purpose and one entity: what one draws does not change what another does,
/// so that a plan from which an event was taken draws the same for the rest.
#[derive(Debug, Clone)]
pub struct Chance {
    reader: blake3::OutputReader,
}

impl Chance {
    /// The stream of a seed for a purpose and an entity.
    pub fn new(seed: u64, purpose: &str, entity: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&seed.to_be_bytes());
        hasher.update(&entity.to_be_bytes());
        hasher.update(purpose.as_bytes());
        Self {
            reader: hasher.finalize_xof(),
        }
    }

    /// Fills with bytes.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        self.reader.fill(bytes);
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let mut byte = [0];
        self.fill(&mut byte);
        byte[0]
    }

    /// A number.
    pub fn number(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// A number below `end`; 0 where `end` is.
    pub fn below(&mut self, end: u64) -> u64 {
        let wide = u128::from(self.number()) * u128::from(end);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, small ones as likely as large ones of ten times the size.
    pub fn log_uniform(&mut self, low: u64, high: u64) -> u64 {
        let (low, high) = (low.max(1), high.max(low.max(1)));
        let doublings = u64::from((high / low).max(1).ilog2()) + 1;
        let from = low << self.below(doublings);
        let to = (from * 2).min(high + 1).max(from + 1);
        from + self.below(to - from)
    }

    /// Whether something happens that happens `parts` times in 1,000.
    pub fn happens(&mut self, parts: u64) -> bool {
        self.below(1000) < parts
    }

    /// One of them.
    pub fn one_of<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(usize::try_from(self.below(of.len() as u64)).unwrap_or(0))
    }
}
