//! Notes rows that whoever reads a feed has met, and that are not as they were written ([`crate::damaged`]).

use crate::app::App;
use crate::damaged;
use crate::error::HubError;

/// Notes rows that are not as they were written, once each, for the operator: nobody else can mend them. Where that
/// cannot be noted, whoever reads is answered all the same.
pub(super) async fn note_damaged(app: &App, news: Vec<String>) {
    if news.is_empty() {
        return;
    }
    let noted = app
        .store
        .write::<_, HubError>(move |tx| Ok(damaged::note(tx, &news)?))
        .await;
    if let Err(why) = noted {
        tracing::error!("damaged rows were not noted: {why}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at what must not fail")]

    use std::collections::BTreeMap;
    use std::sync::Arc;

    use domain::id::{ChangeId, NodeId, OfficeId, RecordId};
    use domain::kind::Class;
    use domain::kinds::person;
    use domain::record::{Life, Record, RecordKey, Version};
    use domain::world::{Mover, Writes};
    use proto::convert::{self, FeedRow};
    use proto::wire::sync as wire;
    use store::StoreError;
    use store::hub::Node;
    use store::open::{Side, writer};
    use tokio::sync::Semaphore;
    use tokio_stream::StreamExt as _;

    use super::*;
    use crate::damaged::ROW_DAMAGED;
    use crate::rpc::pull::stream;

    const OFFICE: OfficeId = OfficeId::new([1; 16]);
    const NODE: NodeId = NodeId::new([2; 16]);

    fn record(number: u8) -> Record {
        Record {
            key: RecordKey {
                kind: person::KIND_NUMBER,
                id: RecordId::new([number; 16]),
            },
            class: Class::Shared,
            office: OFFICE,
            revision: number.into(),
            life: Life::Alive,
            life_version: Version {
                change: ChangeId::default(),
                ordered_at: 0,
            },
            fields: BTreeMap::new(),
        }
    }

    /// The page that a node is sent of its office's feed after a place.
    async fn page_after(app: &App, sequence: u64) -> wire::Page {
        let cursor = wire::Cursor {
            feed: format!("office/{OFFICE}"),
            sequence,
            ..wire::Cursor::default()
        };
        let asked = wire::PullRequest {
            epoch: 1,
            cursors: vec![cursor],
            ..wire::PullRequest::default()
        };
        let room = Arc::new(Semaphore::new(1)).acquire_owned().await.unwrap();
        let node = Node::new(NODE, OFFICE, [0; 32]);
        let mut pages = stream(app.clone(), node, asked, room);
        pages.next().await.unwrap().unwrap()
    }

    /// S18, L1: a row that is not as it was written, or cannot be read, is in no page; it keeps nobody from the others
    /// nor from the head, and is noted once.
    #[tokio::test]
    async fn a_damaged_row_is_in_no_page_and_stops_no_feed() {
        let folder = tempfile::tempdir().unwrap();
        crate::app::init(folder.path(), "hub", &[]).unwrap();
        let app = App::open(folder.path()).unwrap();
        let made = app.store.write::<_, StoreError>(|tx| {
            tx.insert_node(&Node::new(NODE, OFFICE, [0; 32]), 0)?;
            for record in (1..=4).map(record) {
                let mut writes = Writes::default();
                writes.records.insert(record.key, (record, Mover::Foreign));
                tx.apply(&writes, 1)?;
            }
            Ok(())
        });
        made.await.unwrap();
        let spoiler = writer(&app.database(), Side::Hub).unwrap();
        let unchecked = spoiler.pragma_update(None, "ignore_check_constraints", "ON");
        unchecked.unwrap();
        let spoilt = "UPDATE person SET life = 2 WHERE revision = 2;
             UPDATE person SET row_hash = x'00' WHERE revision = 3;
             UPDATE person SET versions = x'00' WHERE revision = 4";
        spoiler.execute_batch(spoilt).unwrap();
        // From the beginning, and where only damaged rows are new.
        for (after, sound) in [(0, vec![FeedRow::State(record(1))]), (1, Vec::new())] {
            let page = page_after(&app, after).await;
            let rows = convert::decode_rows(&page.rows, page.raw_bytes).unwrap();
            assert_eq!(rows, sound);
            assert_eq!((page.to_sequence, page.digest.is_some()), (4, true));
        }
        let looked = app.store.read::<_, StoreError>(|tx| {
            let rows = tx.feed_rows(&format!("office/{OFFICE}"))?;
            Ok((rows.len(), tx.incidents()?))
        });
        let (rows, incidents) = looked.await.unwrap();
        assert_eq!(rows, 4, "a descent goes on too");
        assert_eq!(incidents.get(ROW_DAMAGED), Some(&3));
    }
}
