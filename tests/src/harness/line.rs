//! A line between a node and the hub that can be cut: a TCP relay on the loopback.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// A relay from its own port to the hub's; cut, it refuses and drops everything.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    is_up: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    wire: Arc<Wire>,
}

/// What a line does to what it carries.
#[derive(Debug, Default)]
struct Wire {
    carried: AtomicU64,
    delay_ms: AtomicU64,
    /// Each way; 0: as fast as it comes.
    bytes_per_second: AtomicU64,
}

impl Line {
    /// Starts relaying to `hub`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn to(hub: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let line = Self {
            address: listener.local_addr()?,
            is_up: Arc::new(AtomicBool::new(true)),
            open: Arc::default(),
            wire: Arc::default(),
        };
        let (is_up, open) = (Arc::clone(&line.is_up), Arc::clone(&line.open));
        let wire = Arc::clone(&line.wire);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_up.load(Ordering::SeqCst) {
                    relay(near, hub, &open, &wire);
                } else {
                    drop(near.shutdown(Shutdown::Both));
                }
            }
        });
        Ok(line)
    }

    /// Where the node finds the hub through this line.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Bytes that it has carried both ways so far, TLS and all.
    pub fn carried(&self) -> u64 {
        self.wire.carried.load(Ordering::SeqCst)
    }

    /// From now on bytes arrive so much later, and no more of them a second, each way; 0 for as fast
    /// as they come.
    pub fn slow_down(&self, delay_ms: u64, bytes_per_second: u64) {
        self.wire.delay_ms.store(delay_ms, Ordering::SeqCst);
        let rate = &self.wire.bytes_per_second;
        rate.store(bytes_per_second, Ordering::SeqCst);
    }

    /// Cuts the line: open connections break, new ones are refused.
    pub fn cut(&self) {
        self.is_up.store(false, Ordering::SeqCst);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        for stream in open.drain(..) {
            // A stream that is closed already is as good as cut.
            drop(stream.shutdown(Shutdown::Both));
        }
    }

    /// Puts it up again.
    pub fn restore(&self) {
        self.is_up.store(true, Ordering::SeqCst);
    }
}

fn relay(near: TcpStream, hub: SocketAddr, open: &Mutex<Vec<TcpStream>>, wire: &Arc<Wire>) {
    let Ok(far) = TcpStream::connect(hub) else {
        return;
    };
    let mut kept = open.lock().unwrap_or_else(PoisonError::into_inner);
    for stream in [&near, &far] {
        if let Ok(handle) = stream.try_clone() {
            kept.push(handle);
        }
        drop(stream.set_nodelay(true));
    }
    drop(kept);
    if let (Ok(near_in), Ok(far_in)) = (near.try_clone(), far.try_clone()) {
        carry(near_in, far, Arc::clone(wire));
        carry(far_in, near, Arc::clone(wire));
    }
}

/// Carries one way: what was read at one end is written at the other when its time has come.
fn carry(mut from: TcpStream, mut to: TcpStream, wire: Arc<Wire>) {
    // As much as a line holds that is on its way.
    let (on_its_way, arriving) = mpsc::sync_channel::<(Instant, Vec<u8>)>(64);
    std::thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            let Some(bytes) = buffer.get(..length) else {
                break;
            };
            wire.carried.fetch_add(length as u64, Ordering::SeqCst);
            let rate = wire.bytes_per_second.load(Ordering::SeqCst);
            let micros = (length as u64 * 1_000_000).checked_div(rate);
            std::thread::sleep(Duration::from_micros(micros.unwrap_or(0)));
            let delay = Duration::from_millis(wire.delay_ms.load(Ordering::SeqCst));
            if on_its_way
                .send((Instant::now() + delay, bytes.to_vec()))
                .is_err()
            {
                break;
            }
        }
    });
    std::thread::spawn(move || {
        for (due, bytes) in arriving {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        drop(to.shutdown(Shutdown::Both));
    });
}
