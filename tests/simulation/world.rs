//! What one simulated machine knows of the world: a clock that can be wrong, and the seed's randomness.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use system::World;
use tokio::time::Instant;

use crate::simulation::chance::Chance;

/// When a simulation begins: 2026-11-02 at midnight in China (milliseconds since 1970).
pub const BEGIN_MS: u64 = 1_793_548_800_000;

/// One machine's.
#[derive(Debug)]
pub struct Machine {
    begin: Instant,
    now: Mutex<Now>,
}

#[derive(Debug)]
struct Now {
    /// The wall clock minus the true time (milliseconds).
    offset_ms: i64,
    started: Instant,
    starts: u8,
    chance: Chance,
}

impl Machine {
    /// A machine with a right clock, in a simulation that began at `begin`.
    pub fn new(begin: Instant, chance: Chance) -> Self {
        Self {
            begin,
            now: Mutex::new(Now {
                offset_ms: 0,
                started: begin,
                starts: 0,
                chance,
            }),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the wall clock so far from the true time (milliseconds).
    pub fn set_offset(&self, offset_ms: i64) {
        self.now().offset_ms = offset_ms;
    }

    /// The machine starts again.
    pub fn restart(&self) {
        let mut now = self.now();
        now.started = Instant::now();
        now.starts = now.starts.wrapping_add(1);
    }
}

/// Work as a program on this machine does it.
pub fn at<F: Future>(machine: &Arc<Machine>, work: F) -> impl Future<Output = F::Output> + use<F> {
    let _here = system::within(Arc::clone(machine) as Arc<dyn World>);
    system::carry(work)
}

fn ms(from: Instant) -> u64 {
    u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl World for Machine {
    fn now_ms(&self) -> u64 {
        (BEGIN_MS + ms(self.begin)).saturating_add_signed(self.now().offset_ms)
    }

    fn uptime(&self) -> Option<(u64, [u8; 16])> {
        let now = self.now();
        Some((ms(now.started), [now.starts; 16]))
    }

    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        self.now().chance.fill(bytes);
        Ok(())
    }
}
