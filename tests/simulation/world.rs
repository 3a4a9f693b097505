//! What one simulated machine knows of the world: a clock that can be wrong, and the seed's randomness.

use std::future::poll_fn;
use std::io;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

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
    /// How much faster the wall clock runs (parts of a million, negative: slower), and since when.
    drift: (i64, Instant),
    /// Whether it sleeps, and who waits for it to wake.
    is_asleep: bool,
    waiting: Vec<Waker>,
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
                drift: (0, begin),
                is_asleep: false,
                waiting: Vec::new(),
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
        let mut now = self.now();
        now.offset_ms = offset_ms;
        now.drift = (0, Instant::now());
    }

    /// From now on the wall clock runs so much faster (parts of a million; negative: slower).
    pub fn set_drift(&self, ppm: i64) {
        let mut now = self.now();
        now.offset_ms = now.offset();
        now.drift = (ppm, Instant::now());
    }

    /// The machine sleeps: nothing runs on it until it is woken, and time goes on.
    pub fn sleep(&self) {
        self.now().is_asleep = true;
    }

    /// Whether it sleeps.
    pub fn is_asleep(&self) -> bool {
        self.now().is_asleep
    }

    /// The machine wakes, if it slept.
    pub fn wake(&self) {
        let mut now = self.now();
        now.is_asleep = false;
        now.waiting.drain(..).for_each(Waker::wake);
    }

    /// The machine starts again.
    pub fn restart(&self) {
        let mut now = self.now();
        now.started = Instant::now();
        now.starts = now.starts.wrapping_add(1);
        drop(now);
        self.wake();
    }
}

impl Now {
    fn offset(&self) -> i64 {
        let (ppm, since) = self.drift;
        let passed = ms(since).cast_signed();
        self.offset_ms + passed.saturating_mul(ppm) / 1_000_000
    }
}

/// Work as a program on this machine does it: by its clock, and not while it sleeps.
pub fn at<F: Future>(machine: &Arc<Machine>, work: F) -> impl Future<Output = F::Output> + use<F> {
    let here = system::within(Arc::clone(machine) as Arc<dyn World>);
    let work = system::carry(work);
    drop(here);
    let machine = Arc::clone(machine);
    async move {
        let mut work = pin!(work);
        let awake = poll_fn(move |context| {
            let mut now = machine.now();
            if now.is_asleep {
                now.waiting.push(context.waker().clone());
                return Poll::Pending;
            }
            drop(now);
            work.as_mut().poll(context)
        });
        awake.await
    }
}

fn ms(from: Instant) -> u64 {
    u64::try_from(from.elapsed().as_millis()).unwrap_or(u64::MAX)
}

impl World for Machine {
    fn now_ms(&self) -> u64 {
        (BEGIN_MS + ms(self.begin)).saturating_add_signed(self.now().offset())
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
