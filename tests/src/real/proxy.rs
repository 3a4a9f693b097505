//! A line of TCP that does real harm: it cuts at a byte or at a record of TLS, holds what it carries
//! without closing anything, does not read, answers as a portal does, turns bits over.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

/// Read at once; a record of TLS may be as long.
const READ_BYTES: usize = 16 * 1024;
/// How often a way that carries nothing looks whether it may again.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What one way of a line does to what it carries; counts begin anew with each connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Way {
    /// It carries.
    #[default]
    Open,
    /// Nothing arrives, and nothing is closed; what was held arrives when the way is open again.
    Held,
    /// What is sent is not even read.
    Unread,
    /// After so many bytes both ends are closed.
    CutAfterBytes(u64),
    /// After so many whole records of TLS both ends are closed.
    CutAfterRecords(u64),
    /// When the record of TLS with this number comes, both ends are closed instead.
    CutBeforeRecord(u64),
    /// What is read in larger pieces vanishes, and all that follows it on this connection.
    LosesLarge(usize),
    /// One bit of the byte at this place is turned over.
    Flips(u64),
    /// So many bytes a second.
    Slow(u64),
}

/// What a line does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Plan {
    /// From the node to the hub.
    pub up: Way,
    /// From the hub to the node.
    pub down: Way,
    /// Everything arrives so much later (milliseconds).
    pub delay_ms: u64,
    /// And up to so much earlier or later than that.
    pub jitter_ms: u64,
    /// This is answered instead of the hub, and the line closed.
    pub portal: Option<&'static str>,
}

/// What a line has done.
#[derive(Debug, Default)]
pub struct Done {
    /// Connections that were taken.
    pub connections: AtomicU64,
    /// Cuts at their place.
    pub cuts: AtomicU64,
    /// Pieces that were held back.
    pub held: AtomicU64,
    /// Pieces that vanished.
    pub lost: AtomicU64,
    /// Bits turned over.
    pub flipped: AtomicU64,
    /// Bytes that a portal was sent beyond the first record of TLS.
    pub told_to_portal: AtomicU64,
    /// Bytes carried, both ways.
    pub carried: AtomicU64,
}

#[derive(Debug, Default)]
struct Wire {
    plan: Mutex<Plan>,
    done: Done,
}

impl Wire {
    fn plan(&self) -> Plan {
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line to the hub.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    wire: Arc<Wire>,
}

impl Proxy {
    /// Begins to carry to `hub`.
    ///
    /// # Errors
    /// When no port can be opened.
    pub fn to(hub: SocketAddr) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let wire = Arc::new(Wire::default());
        let shared = Arc::clone(&wire);
        std::thread::spawn(move || {
            for near in listener.incoming().flatten() {
                shared.done.connections.fetch_add(1, Ordering::SeqCst);
                let wire = Arc::clone(&shared);
                std::thread::spawn(move || take(near, hub, &wire));
            }
        });
        Ok(Self { address, wire })
    }

    /// Where a node finds the hub through this line.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// From now on the line does this, open connections too.
    pub fn does(&self, plan: Plan) {
        *self
            .wire
            .plan
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = plan;
    }

    /// A good line again.
    pub fn heals(&self) {
        self.does(Plan::default());
    }

    /// What it has done so far.
    pub fn done(&self) -> &Done {
        &self.wire.done
    }
}

fn take(mut near: TcpStream, hub: SocketAddr, wire: &Arc<Wire>) {
    if let Some(page) = wire.plan().portal {
        answer_as_portal(&mut near, page, &wire.done);
        return;
    }
    let Ok(far) = TcpStream::connect(hub) else {
        return;
    };
    for stream in [&near, &far] {
        drop(stream.set_nodelay(true));
    }
    if let (Ok(near_in), Ok(far_in)) = (near.try_clone(), far.try_clone()) {
        carry(near_in, far, wire, |plan| plan.up);
        carry(far_in, near, wire, |plan| plan.down);
    }
}

/// What a portal hears is counted: a node must tell it no more than that it wants to speak TLS.
fn answer_as_portal(near: &mut TcpStream, page: &str, done: &Done) {
    drop(near.set_read_timeout(Some(Duration::from_millis(300))));
    let mut heard = Vec::new();
    let mut buffer = [0; READ_BYTES];
    let mut has_answered = false;
    while let Ok(length @ 1..) = near.read(&mut buffer) {
        heard.extend_from_slice(buffer.get(..length).unwrap_or_default());
        if !has_answered {
            has_answered = near.write_all(page.as_bytes()).is_ok();
        }
    }
    let mut records = Records::default();
    // The greeting of TLS is in clear, so that any portal hears it; an alert may follow.
    let greeting = records.end_of(&heard, 1).unwrap_or(heard.len());
    let rest = heard.get(greeting..).unwrap_or_default();
    let is_alert = rest.first() == Some(&21) && rest.len() < 64;
    let told = if is_alert { 0 } else { rest.len() };
    done.told_to_portal.fetch_add(told as u64, Ordering::SeqCst);
    drop(near.shutdown(Shutdown::Both));
}

/// Follows the records of TLS in a stream of bytes.
#[derive(Debug, Default)]
struct Records {
    header: Vec<u8>,
    rest: usize,
    whole: u64,
}

impl Records {
    /// Whether so many records have passed, and nothing of the next.
    const fn is_after(&self, number: u64) -> bool {
        self.whole == number && self.rest == 0 && self.header.is_empty()
    }

    /// Takes bytes; the place behind the record with this number, where it ends among them.
    fn end_of(&mut self, bytes: &[u8], number: u64) -> Option<usize> {
        for (place, byte) in bytes.iter().enumerate() {
            if self.rest > 0 {
                self.rest -= 1;
            } else {
                self.header.push(*byte);
                let [_, _, _, high, low] = self.header[..] else {
                    continue;
                };
                self.rest = usize::from(u16::from_be_bytes([high, low]));
                self.header.clear();
            }
            if self.rest == 0 {
                self.whole += 1;
                if self.whole == number {
                    return Some(place + 1);
                }
            }
        }
        None
    }
}

/// One way of one connection.
struct Course {
    wire: Arc<Wire>,
    way_of: fn(&Plan) -> Way,
    passed: u64,
    pieces: u64,
    records: Records,
    is_stuck: bool,
}

/// What becomes of a piece.
enum Fate {
    Arrives,
    Vanishes,
    /// This many bytes arrive, then both ends are closed.
    CutAt(usize),
}

impl Course {
    fn way(&self) -> Way {
        (self.way_of)(&self.wire.plan())
    }

    fn fate(&mut self, piece: &mut [u8]) -> Fate {
        let before = self.passed;
        self.passed += piece.len() as u64;
        self.pieces += 1;
        let way = self.way();
        let is_due =
            matches!(way, Way::CutBeforeRecord(number) if self.records.is_after(number - 1));
        let at_record = match way {
            Way::CutAfterRecords(number) => self.records.end_of(piece, number),
            Way::CutBeforeRecord(number) => self.records.end_of(piece, number - 1),
            _ => self.records.end_of(piece, 0),
        };
        match way {
            Way::CutAfterBytes(at) if at < self.passed => {
                Fate::CutAt(usize::try_from(at.saturating_sub(before)).unwrap_or(0))
            }
            Way::CutBeforeRecord(_) if is_due => Fate::CutAt(0),
            // Where the record before ends with what was read, the cut waits for the next bytes.
            Way::CutBeforeRecord(_) => match at_record {
                Some(at) if at < piece.len() => Fate::CutAt(at),
                _ => Fate::Arrives,
            },
            Way::CutAfterRecords(_) => at_record.map_or(Fate::Arrives, Fate::CutAt),
            Way::LosesLarge(most) if self.is_stuck || piece.len() > most => {
                self.is_stuck = true;
                self.wire.done.lost.fetch_add(1, Ordering::SeqCst);
                Fate::Vanishes
            }
            Way::Flips(at) if (before..self.passed).contains(&at) => {
                let place = usize::try_from(at - before).unwrap_or(0);
                if let Some(byte) = piece.get_mut(place) {
                    *byte ^= 0x10;
                    self.wire.done.flipped.fetch_add(1, Ordering::SeqCst);
                }
                Fate::Arrives
            }
            _ => Fate::Arrives,
        }
    }

    /// How much later than it was sent a piece arrives.
    fn delay(&self, bytes: usize) -> Duration {
        let plan = self.wire.plan();
        let spread = plan.jitter_ms * 2 + 1;
        // Spread evenly, and the same in every run.
        let jitter = self.pieces.wrapping_mul(2_654_435_761) % spread;
        let delay = (plan.delay_ms + jitter).saturating_sub(plan.jitter_ms);
        let slow_ms = match self.way() {
            Way::Slow(rate) => bytes as u64 * 1000 / rate.max(1),
            _ => 0,
        };
        Duration::from_millis(delay + slow_ms)
    }
}

fn carry(from: TcpStream, to: TcpStream, wire: &Arc<Wire>, way_of: fn(&Plan) -> Way) {
    let course = Course {
        wire: Arc::clone(wire),
        way_of,
        passed: 0,
        pieces: 0,
        records: Records::default(),
        is_stuck: false,
    };
    let (sender, arriving) = mpsc::sync_channel(64);
    let (held, from_end) = (Arc::clone(wire), from.try_clone());
    std::thread::spawn(move || read_all(from, course, &sender));
    std::thread::spawn(move || deliver_all(to, &arriving, &held, way_of, from_end.ok().as_ref()));
}

/// A piece on its way: when it is due, and whether the line is cut behind it.
type Piece = (Instant, Vec<u8>, bool);

fn read_all(mut from: TcpStream, mut course: Course, sender: &mpsc::SyncSender<Piece>) {
    let mut buffer = [0; READ_BYTES];
    loop {
        while course.way() == Way::Unread {
            std::thread::sleep(LOOK_AGAIN);
        }
        let Ok(length @ 1..) = from.read(&mut buffer) else {
            return;
        };
        let Some(piece) = buffer.get_mut(..length) else {
            return;
        };
        let sent = match course.fate(piece) {
            Fate::Vanishes => continue,
            Fate::Arrives => (piece.to_vec(), false),
            Fate::CutAt(at) => (piece.get(..at).unwrap_or_default().to_vec(), true),
        };
        let due = Instant::now() + course.delay(length);
        let is_last = sent.1;
        if sender.send((due, sent.0, is_last)).is_err() || is_last {
            return;
        }
        if matches!(course.way(), Way::Slow(_)) {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
}

fn deliver_all(
    mut to: TcpStream,
    arriving: &mpsc::Receiver<Piece>,
    wire: &Wire,
    way_of: fn(&Plan) -> Way,
    from: Option<&TcpStream>,
) {
    let wait_while_held = || {
        let mut is_counted = false;
        while way_of(&wire.plan()) == Way::Held {
            if !is_counted {
                wire.done.held.fetch_add(1, Ordering::SeqCst);
                is_counted = true;
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    };
    for (due, bytes, is_cut) in arriving {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        wait_while_held();
        wire.done
            .carried
            .fetch_add(bytes.len() as u64, Ordering::SeqCst);
        if to.write_all(&bytes).is_err() {
            break;
        }
        if is_cut {
            wire.done.cuts.fetch_add(1, Ordering::SeqCst);
            if let Some(from) = from {
                drop(from.shutdown(Shutdown::Both));
            }
        }
    }
    // Not even the end of a connection arrives over a line that holds everything.
    wait_while_held();
    drop(to.shutdown(Shutdown::Both));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use super::*;

    /// A server that answers each byte with that byte, and the line to it.
    fn echo() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                std::thread::spawn(move || {
                    let mut byte = [0; 1];
                    while let Ok(1) = stream.read(&mut byte) {
                        if stream.write_all(&byte).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Proxy::to(address).unwrap()
    }

    fn answers(proxy: &Proxy, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(proxy.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        stream.write_all(bytes).unwrap();
        let (mut heard, mut byte) = (Vec::new(), [0; 1]);
        while heard.len() < bytes.len() && matches!(stream.read(&mut byte), Ok(1)) {
            heard.extend(byte);
        }
        heard
    }

    #[test]
    fn a_line_carries_cuts_flips_and_holds() {
        let proxy = echo();
        let sent = [22, 3, 1, 0, 2, 7, 8, 22, 3, 1, 0, 1, 9];
        assert_eq!(answers(&proxy, &sent), sent);
        let up = |up| Plan {
            up,
            ..Plan::default()
        };
        proxy.does(up(Way::CutAfterBytes(3)));
        assert!(answers(&proxy, &sent).len() <= 3);
        proxy.does(up(Way::CutAfterRecords(1)));
        assert!(answers(&proxy, &sent).len() <= 7);
        assert_eq!(proxy.done().cuts.load(Ordering::SeqCst), 2);
        proxy.does(up(Way::CutBeforeRecord(2)));
        assert!(answers(&proxy, &sent).len() <= 7);
        assert_eq!(proxy.done().cuts.load(Ordering::SeqCst), 3);
        proxy.does(up(Way::Flips(1)));
        assert_eq!(answers(&proxy, &sent)[..3], [22, 3 ^ 0x10, 1]);
        proxy.does(up(Way::Held));
        assert!(answers(&proxy, &sent).is_empty());
        proxy.does(Plan {
            portal: Some("HTTP/1.1 200 OK\r\n\r\n"),
            ..Plan::default()
        });
        assert!(answers(&proxy, &sent).starts_with(b"HTTP"));
        // It is counted when the portal has heard nothing more for a moment.
        std::thread::sleep(Duration::from_secs(1));
        let told = proxy.done().told_to_portal.load(Ordering::SeqCst);
        assert_eq!(told, 6, "the second record was told");
        proxy.heals();
        assert_eq!(answers(&proxy, &sent), sent);
    }
}
