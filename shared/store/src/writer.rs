//! The writer's thread: one connection that writes, behind an asynchronous façade.
//!
//! Jobs are closures over the connection, run one after another, each in a transaction of its own
//! that commits before the caller hears anything. The queue is bounded: who comes when it is full
//! waits.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::open::{self, Side};
use crate::records::Tx;

/// Jobs that may wait for the writer before callers wait for a place.
const QUEUE_MAX: usize = 256;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The store of a running program: a thread that writes, and readers opened on demand.
#[derive(Debug, Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    path: PathBuf,
}

impl Store {
    /// Opens (and makes or upgrades) the database and starts its writer.
    pub fn open(path: PathBuf, side: Side) -> Result<Self, StoreError> {
        let mut connection = open::writer(&path, side)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_MAX);
        thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    // A job that panics is rolled back by its transaction and answers nobody; the
                    // writer goes on for everybody else.
                    let run = AssertUnwindSafe(|| job(&mut connection));
                    drop(std::panic::catch_unwind(run));
                }
            })
            .map_err(|error| StoreError::Broken(error.to_string()))?;
        Ok(Self { jobs, path })
    }

    /// Runs `work` in one transaction on the writer's thread; its changes are durable when this
    /// returns, and none of them happened if it fails.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that has gone away does not undo what was committed.
            let _ = answer.send(write_on(connection, work));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Writes the file anew and empties its log ([`open::wipe_traces`]), on the writer's thread.
    pub async fn wipe_traces(&self) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked has gone away; it is asked again.
            let _ = answer.send(open::wipe_traces(connection));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Runs `work` on a snapshot, on a thread that may block.
    pub async fn read<T, E>(
        &self,
        work: impl FnOnce(Tx<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let path = self.path.clone();
        tokio::task::spawn_blocking(move || {
            let mut connection = open::reader(&path)?;
            let snapshot = connection.transaction().map_err(StoreError::from)?;
            work(Tx::on(&snapshot))
        })
        .await
        .map_err(|_| StoreError::Closed)?
    }
}

/// Runs `work` in one immediate transaction on a connection of the caller's own.
pub fn write_on<T, E: From<StoreError>>(
    connection: &mut Connection,
    work: impl FnOnce(Tx<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(StoreError::from)?;
    let done = work(Tx::on(&transaction))?;
    transaction.commit().map_err(StoreError::from)?;
    Ok(done)
}
