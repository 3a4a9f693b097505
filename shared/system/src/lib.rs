//! The only reader of the clock and of randomness.
//!
//! A simulator runs many programs in one thread, each with a clock of its own that can be wrong, and
//! draws all randomness from one seed: it puts a [`World`] in the place of the machine's while it polls
//! one program's work ([`within`], [`carry`]).

use std::cell::RefCell;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use domain::id::{RecordId, uuid_v7};

/// What a program knows of the world around it.
pub trait World: Send + Sync {
    /// Milliseconds since 1970 by the wall clock.
    fn now_ms(&self) -> u64;

    /// Milliseconds since the machine started, and which start that was.
    fn uptime(&self) -> Option<(u64, [u8; 16])>;

    /// Fills `bytes` with what nobody can guess (or, in a simulation, with what the seed says).
    ///
    /// # Errors
    /// Where there is none.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

thread_local! {
    static HERE: RefCell<Option<Arc<dyn World>>> = const { RefCell::new(None) };
}

fn here() -> Option<Arc<dyn World>> {
    HERE.with_borrow(Clone::clone)
}

/// Another world holds on this thread until this is dropped.
#[must_use = "the world holds while this lives"]
pub struct Within(Option<Arc<dyn World>>);

/// Puts a world in the place of the present one, on this thread.
pub fn within(world: Arc<dyn World>) -> Within {
    Within(HERE.replace(Some(world)))
}

impl Drop for Within {
    fn drop(&mut self) {
        HERE.set(self.0.take());
    }
}

/// Takes the present world along into work that another task will do.
pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let (world, mut work) = (here(), Box::pin(work));
    std::future::poll_fn(move |context| {
        let _world = world.clone().map(within);
        work.as_mut().poll(context)
    })
}

/// Milliseconds since 1970 by the wall clock; 0 where it stands before that. For rehearsals the
/// environment's `LIANXIN_CLOCK_OFFSET_S` (seconds, may be negative) is added.
pub fn now_ms() -> u64 {
    here().map_or_else(machine_ms, |world| world.now_ms())
}

fn machine_ms() -> u64 {
    static OFFSET_MS: OnceLock<i64> = OnceLock::new();
    let offset = *OFFSET_MS.get_or_init(|| {
        let text = std::env::var("LIANXIN_CLOCK_OFFSET_S").unwrap_or_default();
        text.parse::<i64>().unwrap_or(0).saturating_mul(1000)
    });
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        });
    wall.saturating_add_signed(offset)
}

/// Milliseconds since the machine started, and which start that was; none where the system does not
/// tell. Sleep counts.
pub fn uptime() -> Option<(u64, [u8; 16])> {
    match here() {
        Some(world) => world.uptime(),
        None => machine_uptime(),
    }
}

fn machine_uptime() -> Option<(u64, [u8; 16])> {
    let text = std::fs::read_to_string("/proc/uptime").ok()?;
    let (seconds, rest) = text.split_whitespace().next()?.split_once('.')?;
    let hundredths: u64 = rest.get(..2)?.parse().ok()?;
    let ms = seconds.parse::<u64>().ok()? * 1000 + hundredths * 10;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let boot = RecordId::parse(boot.trim()).ok()?;
    Some((ms, boot.bytes()))
}

fn fill(bytes: &mut [u8]) -> io::Result<()> {
    match here() {
        Some(world) => world.fill(bytes),
        None => getrandom::fill(bytes).map_err(io::Error::other),
    }
}

/// Sixteen random bytes.
///
/// # Errors
/// Where the system gives none.
pub fn random_16() -> io::Result<[u8; 16]> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// A new record id: a `UUIDv7` of now.
///
/// # Errors
/// Where the system gives no randomness.
pub fn new_record_id() -> io::Result<RecordId> {
    let mut random = [0; 10];
    fill(&mut random)?;
    Ok(RecordId::new(uuid_v7(now_ms(), random)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use std::task::{Context, Poll};

    use super::*;

    struct At(u64);

    impl World for At {
        fn now_ms(&self) -> u64 {
            self.0
        }

        fn uptime(&self) -> Option<(u64, [u8; 16])> {
            None
        }

        fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
            bytes.fill(self.0.to_be_bytes()[7]);
            Ok(())
        }
    }

    #[test]
    fn a_world_holds_while_its_guard_lives_and_work_takes_it_along() {
        let machine = now_ms();
        let outer = within(Arc::new(At(7)));
        let work = carry(async { (now_ms(), random_16().unwrap()[0], uptime()) });
        {
            let _inner = within(Arc::new(At(9)));
            assert_eq!(now_ms(), 9);
        }
        assert_eq!(now_ms(), 7);
        drop(outer);
        assert!(now_ms() >= machine && machine > 9);

        let mut work = Box::pin(work);
        let mut context = Context::from_waker(std::task::Waker::noop());
        assert_eq!(work.as_mut().poll(&mut context), Poll::Ready((7, 7, None)));
        assert!(now_ms() >= machine);
    }
}
