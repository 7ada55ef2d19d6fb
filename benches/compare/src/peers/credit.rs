//! What stands between a publisher that drops and messages that must not be lost: subscribers give credit, and the
//! publisher stays within it, as a program has to that uses such a library and needs every message.
//!
//! Credit goes through a named pipe, not through the library, four times in each window. It also says when a
//! subscriber is there, for libraries that cannot: the publisher sends probes until each has had one.
//!
//! ```text
//!   publisher                          subscriber
//!      | ~~~~~ PROBE, PROBE, ... ~~~~~~~~> |
//!      | <--------- its index ------------ |   once: it is there
//!      | ~~~~~ at most a window ~~~~~~~~~> |
//!      | <--------- its index ------------ |   after each quarter of a window
//! ```
//!
//! The pipe never fills: what a subscriber gives before the publisher looks is a few bytes, and nobody waits to give.

use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;

use super::files;
use crate::Outcome;
use crate::job::Job;

/// The tag of a message that only asks whether anybody is there.
pub const PROBE: u8 = 254;

/// How long the publisher waits for answers before it sends another probe.
const PROBE_INTERVAL: Duration = Duration::from_millis(1);

/// Where it is.
pub fn pipe_path(job: &Job) -> Outcome<String> {
    files::path(job, "credit")
}

/// How many messages a subscriber receives for each credit it gives.
pub fn step(job: &Job) -> usize {
    (job.cell.window() / 4).max(1)
}

/// Makes the pipe of this job.
pub fn make_pipe(job: &Job) -> Outcome<String> {
    let path = pipe_path(job)?;
    mkfifo(path.as_str(), Mode::S_IRUSR | Mode::S_IWUSR)?;
    Ok(path)
}

/// What a publisher knows: it is never further ahead of the slowest subscriber than the window.
pub struct Ledger {
    sent: usize,
    /// What may have been sent before there is more credit.
    limit: usize,
    received: Vec<usize>,
    window: usize,
    step: usize,
}

impl Ledger {
    pub fn new(job: &Job) -> Ledger {
        Ledger {
            sent: 0,
            limit: job.cell.window(),
            received: vec![0; job.cell.far_ends()],
            window: job.cell.window(),
            step: step(job),
        }
    }

    /// Whether another message may be sent; then it counts as sent.
    #[inline]
    pub fn spend(&mut self) -> bool {
        let may = self.sent < self.limit;
        self.sent += usize::from(may);
        may
    }

    /// Takes what came through the pipe.
    pub fn earn(&mut self, indices: &[u8]) -> Outcome<()> {
        for index in indices {
            let of = self.received.get_mut(usize::from(*index));
            *of.ok_or("a credit of nobody")? += self.step;
        }
        let slowest = self.received.iter().min().copied().unwrap_or(0);
        self.limit = slowest + self.window;
        Ok(())
    }
}

/// The publisher's side in a task.
pub struct Credit {
    pipe: pipe::Receiver,
    ledger: Ledger,
}

impl Credit {
    pub fn listen(job: &Job) -> Outcome<Credit> {
        // Open for writing as well, so that it does not end before the first subscriber is there.
        let pipe = pipe::OpenOptions::new()
            .read_write(true)
            .open_receiver(make_pipe(job)?)?;
        Ok(Credit {
            pipe,
            ledger: Ledger::new(job),
        })
    }

    /// Called before each message.
    #[inline]
    pub async fn spend(&mut self) -> Outcome<()> {
        while !self.ledger.spend() {
            let mut indices = [0; 64];
            let count = self.pipe.read(&mut indices).await?;
            self.ledger.earn(&indices[..count])?;
        }
        Ok(())
    }

    /// Whether as many subscribers as there are have said so, `here` of them before; waits a moment. If not, another
    /// probe is due.
    pub async fn all_here(&mut self, here: &mut usize) -> Outcome<bool> {
        let read = async {
            while *here < self.ledger.received.len() {
                self.pipe.read_u8().await?;
                *here += 1;
            }
            Ok(true)
        };
        let read = tokio::time::timeout(PROBE_INTERVAL, read);
        read.await.unwrap_or(Ok(false))
    }
}

/// A subscriber's side in a task.
pub struct Creditor {
    pipe: pipe::Sender,
    index: u8,
    received: usize,
    step: usize,
}

impl Creditor {
    pub fn connect(job: &Job, index: usize) -> Outcome<Creditor> {
        Ok(Creditor {
            pipe: pipe::OpenOptions::new().open_sender(pipe_path(job)?)?,
            index: u8::try_from(index)?,
            received: 0,
            step: step(job),
        })
    }

    /// Called once, after the first probe, for publishers that ask.
    pub async fn here(&mut self) -> Outcome<()> {
        Ok(self.pipe.write_u8(self.index).await?)
    }

    /// Called after each message that is not a probe.
    #[inline]
    pub async fn received(&mut self) -> Outcome<()> {
        self.received += 1;
        if self.received.is_multiple_of(self.step) {
            self.pipe.write_u8(self.index).await?;
        }
        Ok(())
    }
}
