//! A line between a node and the hub that can be cut: a TCP relay on the loopback.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A relay from its own port to the hub's; cut, it refuses and drops everything.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    is_up: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
    carried: Arc<AtomicU64>,
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
            carried: Arc::default(),
        };
        let (is_up, open) = (Arc::clone(&line.is_up), Arc::clone(&line.open));
        let carried = Arc::clone(&line.carried);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if is_up.load(Ordering::SeqCst) {
                    relay(near, hub, &open, &carried);
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
        self.carried.load(Ordering::SeqCst)
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

fn relay(near: TcpStream, hub: SocketAddr, open: &Mutex<Vec<TcpStream>>, carried: &Arc<AtomicU64>) {
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
        let (up, down) = (Arc::clone(carried), Arc::clone(carried));
        std::thread::spawn(move || pump(near_in, far, &up));
        std::thread::spawn(move || pump(far_in, near, &down));
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, carried: &AtomicU64) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let Some(bytes) = buffer.get(..length) else {
            break;
        };
        carried.fetch_add(length as u64, Ordering::SeqCst);
        if to.write_all(bytes).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Both));
}
