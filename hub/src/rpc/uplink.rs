//! The pushes of one node that are under way: how many there may be, and that one which overtook the
//! one it follows waits for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use domain::id::NodeId;
use proto::status::CallRefused;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use super::BUSY_MS;

/// Pushes of one node that should be under way at once: enough to fill a line with a long way.
pub(super) const IN_FLIGHT: u32 = 4;
/// Pushes of one node above which the hub is busy.
const IN_FLIGHT_MAX: usize = 8;
/// How long a batch waits for the one it follows: streams of one connection share its bytes, so that
/// a small batch can arrive before a large one that left earlier.
const FOLLOWS_WITHIN: Duration = Duration::from_secs(1);

/// The uplinks of all nodes.
#[derive(Debug, Clone, Default)]
pub(super) struct Uplinks(Arc<Mutex<BTreeMap<NodeId, Uplink>>>);

/// One node's.
#[derive(Debug, Clone)]
struct Uplink {
    room: Arc<Semaphore>,
    /// Counts the pushes that have ended.
    ended: watch::Sender<u64>,
}

/// One push that is under way.
#[derive(Debug)]
pub(super) struct UnderWay {
    uplink: Uplink,
    wait_until: Instant,
    _room: OwnedSemaphorePermit,
}

impl Uplinks {
    /// Begins a push of a node.
    ///
    /// # Errors
    /// Too many of it are under way.
    pub(super) fn begin(&self, node: NodeId) -> Result<UnderWay, CallRefused> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let uplink = all.entry(node).or_insert_with(|| Uplink {
            room: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
            ended: watch::Sender::new(0),
        });
        let room = Arc::clone(&uplink.room).try_acquire_owned();
        Ok(UnderWay {
            uplink: uplink.clone(),
            wait_until: Instant::now() + FOLLOWS_WITHIN,
            _room: room.map_err(|_| CallRefused::Busy(BUSY_MS))?,
        })
    }
}

impl UnderWay {
    /// The pushes of this node that end from now on.
    pub(super) fn others(&self) -> watch::Receiver<u64> {
        self.uplink.ended.subscribe()
    }

    /// Waits until another push of this node ends; whether one did within the time that a batch
    /// waits for the one it follows.
    pub(super) async fn another_ended(&self, mut others: watch::Receiver<u64>) -> bool {
        let ended = tokio::time::timeout_at(self.wait_until, others.changed()).await;
        matches!(ended, Ok(Ok(())))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.uplink.ended.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use super::*;

    #[tokio::test]
    async fn a_push_that_waits_goes_on_when_another_of_its_node_ends_and_not_for_other_nodes() {
        let uplinks = Uplinks::default();
        let (one, other) = (NodeId::new([1; 16]), NodeId::new([2; 16]));
        let waiting = uplinks.begin(one).unwrap();
        let others = waiting.others();
        drop(uplinks.begin(one).unwrap());
        assert!(waiting.another_ended(others).await);

        let others = waiting.others();
        drop(uplinks.begin(other).unwrap());
        assert!(!waiting.another_ended(others).await, "another node's push");
    }

    #[test]
    fn one_node_can_not_take_all_the_room() {
        let uplinks = Uplinks::default();
        let node = NodeId::new([1; 16]);
        let mut under_way: Vec<_> = (0..IN_FLIGHT_MAX)
            .map(|_| uplinks.begin(node).unwrap())
            .collect();
        assert!(matches!(uplinks.begin(node), Err(CallRefused::Busy(_))));
        assert!(uplinks.begin(NodeId::new([2; 16])).is_ok());
        under_way.pop();
        assert!(uplinks.begin(node).is_ok());
    }
}
