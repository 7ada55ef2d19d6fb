//! What stands between a publisher that drops and messages that must not be lost: subscribers give credit, and the
//! publisher stays within it, as a program has to that uses such a library and needs every message.
//!
//! Credit goes over a Unix datagram socket, not through the library, four times in each window. It also says when a
//! subscriber is there, for libraries that cannot: the publisher sends probes until each has had one.
//!
//! ```text
//!   publisher                          subscriber
//!      | ~~~~~ PROBE, PROBE, ... ~~~~~~~~> |
//!      | <--------- its index ------------ |   once: it is there
//!      | ~~~~~ at most a window ~~~~~~~~~> |
//!      | <--------- its index ------------ |   after each quarter of a window
//! ```

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram as StdDatagram};
use std::time::Duration;

use tokio::net::UnixDatagram;

use crate::Outcome;
use crate::job::Job;

/// The tag of a message that only asks whether anybody is there.
pub const PROBE: u8 = 254;

/// How long the publisher waits for answers before it sends another probe.
const PROBE_INTERVAL: Duration = Duration::from_millis(1);

/// How many messages a subscriber receives for each credit it gives.
fn step(job: &Job) -> usize {
    (job.cell.window() / 4).max(1)
}

fn address(job: &Job) -> Outcome<SocketAddr> {
    let name = format!("{}-credit", job.name());
    Ok(SocketAddr::from_abstract_name(name)?)
}

fn awaited(socket: StdDatagram) -> Outcome<UnixDatagram> {
    socket.set_nonblocking(true)?;
    Ok(UnixDatagram::from_std(socket)?)
}

/// The publisher's side: never further ahead of the slowest subscriber than the window.
pub struct Credit {
    socket: UnixDatagram,
    sent: usize,
    /// What may have been sent before there is more credit.
    limit: usize,
    received: Vec<usize>,
    window: usize,
    step: usize,
}

impl Credit {
    pub fn bind(job: &Job) -> Outcome<Credit> {
        Ok(Credit {
            socket: awaited(StdDatagram::bind_addr(&address(job)?)?)?,
            sent: 0,
            limit: job.cell.window(),
            received: vec![0; job.cell.far_ends()],
            window: job.cell.window(),
            step: step(job),
        })
    }

    async fn next(&self) -> Outcome<usize> {
        let mut index = [0];
        self.socket.recv(&mut index).await?;
        Ok(index[0].into())
    }

    /// Called before each message.
    #[inline]
    pub async fn spend(&mut self) -> Outcome<()> {
        while self.sent >= self.limit {
            let from = self.next().await?;
            *self.received.get_mut(from).ok_or("a credit of nobody")? += self.step;
            let slowest = self.received.iter().min().copied().unwrap_or(0);
            self.limit = slowest + self.window;
        }
        self.sent += 1;
        Ok(())
    }

    /// Whether all subscribers are there after all that `here` counts; waits a moment for them. If not, another probe
    /// is due.
    pub async fn all_here(&self, here: &mut usize) -> Outcome<bool> {
        while *here < self.received.len() {
            match tokio::time::timeout(PROBE_INTERVAL, self.next()).await {
                Ok(index) => *here += usize::from(index? < self.received.len()),
                Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// A subscriber's side.
pub struct Creditor {
    socket: UnixDatagram,
    index: u8,
    received: usize,
    step: usize,
}

impl Creditor {
    pub fn connect(job: &Job, index: usize) -> Outcome<Creditor> {
        let socket = StdDatagram::unbound()?;
        socket.connect_addr(&address(job)?)?;
        Ok(Creditor {
            socket: awaited(socket)?,
            index: u8::try_from(index)?,
            received: 0,
            step: step(job),
        })
    }

    /// Called once, after the first probe.
    pub async fn here(&self) -> Outcome<()> {
        self.socket.send(&[self.index]).await?;
        Ok(())
    }

    /// Called after each message that is not a probe.
    #[inline]
    pub async fn received(&mut self) -> Outcome<()> {
        self.received += 1;
        if self.received.is_multiple_of(self.step) {
            self.here().await?;
        }
        Ok(())
    }
}
