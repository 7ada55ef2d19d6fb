//! The thread that talks to the server.
//!
//! The client runs a runtime of its own and panics where another one runs already. On this thread there is none, wherever the
//! store is called from.

use std::io;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use postgres::{Config, Error};

use super::super::error::StoreError;
use super::fault::fault;
use super::session::{Identity, Owner, Session};

type Job = Box<dyn FnOnce(&mut Seat) + Send>;

/// The thread, which ends with this value.
pub(super) struct Worker {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What the thread has.
struct Seat {
    config: Config,
    owner: Owner,
    session: Option<Session>,
    /// The last session, also after it was lost.
    last: Option<Identity>,
}

impl Worker {
    /// Starts the thread. It connects with the first call.
    pub(super) fn start(config: Config, owner: Owner) -> Result<Worker, StoreError> {
        let (jobs, todo) = mpsc::channel::<Job>();
        let mut seat = Seat {
            config,
            owner,
            session: None,
            last: None,
        };
        let work = move || {
            for job in todo {
                job(&mut seat);
            }
            if let Some(session) = seat.session {
                // Where the connection is lost, the server gives up the lock by itself.
                let _ = session.close();
            }
        };
        let thread = thread::Builder::new()
            .name("taipan-postgres".into())
            .spawn(work)
            .map_err(|error| StoreError::Failed(Box::new(error)))?;
        Ok(Worker {
            jobs: Some(jobs),
            thread: Some(thread),
        })
    }

    /// Runs work on the thread, after connecting if that is necessary, and waits for it.
    pub(super) fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Session) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |seat| {
            // Whoever asked is waiting; if it is not, it has panicked.
            let _ = answer.send(seat.work(work));
        });
        let gone = || StoreError::Failed(Box::new(io::Error::other("the store's thread is gone")));
        self.jobs
            .as_ref()
            .and_then(|jobs| jobs.send(job).ok())
            .ok_or_else(gone)?;
        answered.recv().map_err(|_| gone())?
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, the call that made it has been told.
            let _ = thread.join();
        }
    }
}

impl Seat {
    fn work<T>(
        &mut self,
        work: impl FnOnce(&mut Session) -> Result<T, Error>,
    ) -> Result<T, StoreError> {
        let mut session = match self.session.take() {
            Some(session) if !session.is_closed() => session,
            _ => Session::open(&self.config, &self.owner, self.last.as_ref())?,
        };
        self.last = Some(session.identity.clone());
        let done = work(&mut session).map_err(fault);
        // A connection that was lost is dropped; the next call makes another one.
        if !matches!(done, Err(StoreError::Unavailable(_))) {
            self.session = Some(session);
        }
        done
    }
}
