//! The writer's thread: one connection that writes, behind an asynchronous façade.
//!
//! Jobs are closures over the connection, run one after another, each in a transaction of its own
//! that commits before the caller hears anything. The queue is bounded: who comes when it is full
//! waits. A simulator, which runs many programs in one thread, has jobs run where they are called.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::{mpsc, oneshot};

use crate::connection::WriteConnection;
use crate::error::StoreError;
use crate::open::{self, Side};
use crate::records::Tx;

/// Jobs that may wait for the writer before callers wait for a place.
const QUEUE_MAX: usize = 256;

type Job = Box<dyn FnOnce(&mut WriteConnection) + Send>;

/// The store of a running program: a thread that writes, and readers opened on demand.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Writer,
    path: PathBuf,
}

/// Where jobs run.
#[derive(Debug, Clone)]
enum Writer {
    Thread(Arc<Worker>),
    Caller(Arc<Mutex<WriteConnection>>),
}

/// The writer's thread, and the way to it. Whoever drops the last handle waits until the thread has closed
/// the database: a program that ends does not cut it off.
#[derive(Debug)]
struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.jobs.take());
        let Some(thread) = self.thread.take() else {
            return;
        };
        // A job may have held the last handle.
        if thread.thread().id() != thread::current().id() {
            // Panics of jobs are caught; there is nothing else to hear.
            let _ = thread.join();
        }
    }
}

impl Store {
    /// Opens (and makes or upgrades) the database and starts its writer.
    pub fn open(path: PathBuf, side: Side) -> Result<Self, StoreError> {
        let mut connection = open::writer(&path, side)?;
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE_MAX);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                while let Some(job) = queue.blocking_recv() {
                    // A job that panics is rolled back by its transaction and answers nobody; the
                    // writer goes on for everybody else.
                    let run = AssertUnwindSafe(|| job(&mut connection));
                    drop(std::panic::catch_unwind(run));
                    copy_log(&mut connection);
                }
            })
            .map_err(|error| StoreError::Broken(error.to_string()))?;
        Ok(Self {
            writer: Writer::Thread(Arc::new(Worker {
                jobs: Some(jobs),
                thread: Some(thread),
            })),
            path,
        })
    }

    /// Opens the database with jobs that run on the caller's thread, one after another, reading ones
    /// too: for programs that run in a simulation.
    pub fn open_on_caller(path: PathBuf, side: Side) -> Result<Self, StoreError> {
        let connection = open::writer(&path, side)?;
        Ok(Self {
            writer: Writer::Caller(Arc::new(Mutex::new(connection))),
            path,
        })
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
        self.on_writer(move |connection| write_on(connection, work))
            .await
    }

    /// Writes the file anew and empties its log ([`open::wipe_traces`]), where writing is done.
    pub async fn wipe_traces(&self) -> Result<(), StoreError> {
        self.on_writer(|connection| open::wipe_traces(connection))
            .await
    }

    async fn on_writer<T, E>(
        &self,
        job: impl FnOnce(&mut WriteConnection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let jobs = match &self.writer {
            Writer::Thread(worker) => worker.jobs.as_ref().ok_or(StoreError::Closed)?,
            Writer::Caller(connection) => {
                let mut connection = own(connection);
                let done = job(&mut connection);
                copy_log(&mut connection);
                return done;
            }
        };
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // A caller that has gone away does not undo what was committed.
            let _ = answer.send(job(connection));
        });
        jobs.send(job).await.map_err(|_| StoreError::Closed)?;
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
        if let Writer::Caller(connection) = &self.writer {
            let mut connection = own(connection);
            let snapshot = connection.transaction().map_err(StoreError::from)?;
            return work(Tx::on(&snapshot));
        }
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

/// A job that panicked was rolled back: the connection is as good as before.
fn own(connection: &Mutex<WriteConnection>) -> MutexGuard<'_, WriteConnection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Copies a long log into the database. What was committed is durable in the log: where the disk refuses,
/// the next job tries again.
fn copy_log(connection: &mut WriteConnection) {
    let _ = connection.copy_if_long();
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
