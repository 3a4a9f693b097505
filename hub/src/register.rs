//! What the register has of revocations and removals, and the database must have too.
//!
//! Such a thing is written to the register first, inside the transaction that carries it out. So after a cut between
//! the two, and in a database that was put back, the register says more than the database: whoever opens it carries
//! that out before anything else is done. Who was told that it is done may rely on both.

use domain::id::{NodeId, OfficeId, RecordId};
use domain::record::RecordKey;
use store::{StoreError, Tx};
use transport::revoked::{AppendOnlyRegister, Entry};

use crate::app::App;

/// Writes an entry durably; one that is there already stays.
///
/// # Errors
/// A register that cannot be written.
pub fn note(app: &App, entry: Entry, now_ms: u64) -> Result<(), StoreError> {
    let held = |_| StoreError::Broken("the register is held by a task that failed".to_owned());
    let mut register = app.register.lock().map_err(held)?;
    register
        .append(entry, now_ms.cast_signed())
        .map_err(|error| StoreError::Disk(error.to_string()))
}

/// Revokes every machine of an office, those that were revoked before in the register too; how many were revoked
/// now.
///
/// # Errors
/// The store's own; a register that cannot be written.
pub fn revoke(tx: Tx<'_>, app: &App, office: OfficeId, now_ms: u64) -> Result<usize, StoreError> {
    for node in tx.nodes()? {
        if node.office == office {
            let at = node.revoked_at.unwrap_or(now_ms);
            note(app, Entry::RevokedNode(node.id.bytes()), at)?;
        }
    }
    let revoked = tx.revoke_nodes(office, now_ms)?;
    crate::leases::void_revoked(tx, now_ms)?;
    Ok(revoked.len())
}

/// What the register says and a database does not have, in the order in which it came, with its time (milliseconds
/// since 1970).
///
/// # Errors
/// The store's own.
pub fn missing(tx: Tx<'_>, register: &AppendOnlyRegister) -> Result<Vec<(u64, Entry)>, StoreError> {
    let mut missing = Vec::new();
    for (entry, at) in register.entries() {
        let is_missing = match entry {
            Entry::RevokedNode(node) => tx
                .node(NodeId::new(node))?
                .is_some_and(|node| node.revoked_at.is_none()),
            Entry::Purged { kind, id } => {
                let id = RecordId::new(id);
                !tx.is_purged(id)? || tx.row_hash(RecordKey { kind, id })?.is_some()
            }
            Entry::UsedCode(_) | Entry::Leased { .. } | Entry::Enrolled { .. } => false,
        };
        if is_missing {
            missing.push((at.cast_unsigned(), entry));
        }
    }
    missing.sort_unstable();
    Ok(missing)
}

/// Carries out what is [`missing`]. Carried out again, it changes nothing.
///
/// # Errors
/// The store's own.
pub fn carry_out(tx: Tx<'_>, register: &AppendOnlyRegister) -> Result<(), StoreError> {
    for (at, entry) in missing(tx, register)? {
        match entry {
            Entry::RevokedNode(node) => tx.revoke_node(NodeId::new(node), at)?,
            Entry::Purged { kind, id } => {
                let id = RecordId::new(id);
                tx.purge(RecordKey { kind, id }, at)?;
            }
            Entry::UsedCode(_) | Entry::Leased { .. } | Entry::Enrolled { .. } => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeMap;

    use domain::id::ChangeId;
    use domain::kind::Class;
    use domain::kinds::{person, tenure};
    use domain::record::{Life, Record, Version};
    use store::hub::Node;

    use super::*;
    use crate::app;
    use crate::error::HubError;

    const OFFICE: OfficeId = OfficeId::new([2; 16]);
    const NODE: NodeId = NodeId::new([7; 16]);

    struct Hub {
        folder: tempfile::TempDir,
        runtime: tokio::runtime::Runtime,
    }

    impl Hub {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            app::init(folder.path(), "hub", &[]).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            Self { folder, runtime }
        }

        fn open(&self) -> App {
            App::open(self.folder.path()).unwrap()
        }

        fn write<T: Send + 'static>(
            &self,
            app: &App,
            work: impl FnOnce(Tx<'_>, &App) -> Result<T, HubError> + Send + 'static,
        ) -> T {
            let own = app.clone();
            let written = app.store.write(move |tx| work(tx, &own));
            self.runtime.block_on(written).unwrap()
        }

        fn is_revoked(&self, app: &App) -> bool {
            self.write(app, |tx, _| {
                Ok(tx.node(NODE)?.unwrap().revoked_at.is_some())
            })
        }
    }

    fn record_of(kind: u16) -> Record {
        let id = RecordId::new([3; 16]);
        Record {
            key: RecordKey { kind, id },
            class: Class::Shared,
            office: OFFICE,
            revision: 1,
            life: Life::Alive,
            life_version: Version {
                change: ChangeId {
                    node: NODE,
                    epoch: 1,
                    sequence: 1,
                },
                ordered_at: 0,
            },
            fields: BTreeMap::new(),
        }
    }

    fn has(app: &App, wanted: Entry) -> bool {
        let register = app.register.lock().unwrap();
        register.entries().any(|(entry, _)| entry == wanted)
    }

    /// S19: wherever the power is cut between register and database, a machine that was said to be revoked is.
    #[test]
    fn a_revocation_that_stands_in_one_of_the_two_comes_into_the_other() {
        let hub = Hub::new();
        let entry = Entry::RevokedNode(NODE.bytes());
        let app = hub.open();
        hub.write(&app, |tx, _| {
            Ok(tx.insert_node(&Node::new(NODE, OFFICE, [0; 32]), 1)?)
        });
        // Written to the register, and cut off before the commit.
        note(&app, entry, 5).unwrap();
        assert!(!hub.is_revoked(&app));
        drop(app);
        for _ in 0..2 {
            assert!(hub.is_revoked(&hub.open()), "each time it is opened");
        }
        // Committed, and cut off before the register had it, as by an earlier program: it is said again.
        std::fs::remove_file(app::register_path(hub.folder.path())).unwrap();
        let app = hub.open();
        assert!(hub.is_revoked(&app) && !has(&app, entry));
        let revoked = hub.write(&app, |tx, app| Ok(revoke(tx, app, OFFICE, 9)?));
        assert_eq!(revoked, 0, "it was before");
        assert!(has(&app, entry));
    }

    /// S1: what was removed for good goes, and no other record that bears its id.
    #[test]
    fn a_removal_that_only_the_register_knows_is_carried_out_on_that_record_only() {
        let hub = Hub::new();
        let app = hub.open();
        let kinds = [person::KIND_NUMBER, tenure::KIND_NUMBER];
        hub.write(&app, move |tx, _| {
            for kind in kinds {
                tx.write_record(&record_of(kind))?;
            }
            Ok(())
        });
        let [kind, other] = kinds;
        let id = [3; 16];
        note(&app, Entry::Purged { kind: other, id }, 5).unwrap();
        drop(app);
        for _ in 0..2 {
            let app = hub.open();
            let there = hub.write(&app, move |tx, _| {
                let is_there = |kind| tx.record(record_of(kind).key).map(|found| found.is_some());
                let is_purged = tx.is_purged(RecordId::new(id))?;
                Ok(([is_there(kind)?, is_there(other)?], is_purged))
            });
            assert_eq!(there, ([true, false], true));
        }
    }
}
