//! A folder in memory, and a runtime whose time goes on as soon as nothing runs.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Once;

use anyhow::ensure;
use tempfile::TempDir;
use tokio::runtime::Runtime;

thread_local! {
    static PANICS: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A folder of its own, in memory where there is such a place.
///
/// # Errors
/// Where it cannot be made.
pub fn folder(prefix: &str) -> std::io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let temporary = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix(prefix)
        .tempdir_in(if memory.is_dir() { memory } else { &temporary })
}

/// A runtime of one thread in virtual time.
///
/// # Errors
/// Where it cannot be made.
pub fn runtime() -> std::io::Result<Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
}

/// Does work in virtual time; a task that panics ends alone, and here it is a violation.
///
/// # Errors
/// The work's; what panicked.
pub fn watched<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    note_panics();
    let done = runtime()?.block_on(Box::pin(work));
    let panicked = PANICS.take();
    ensure!(
        panicked.is_empty(),
        "invariant S20: {}",
        panicked.join("; ")
    );
    done
}

fn note_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            PANICS.with_borrow_mut(|panics| panics.push(info.to_string()));
            before(info);
        }));
    });
}
