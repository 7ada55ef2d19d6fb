//! Runs one row: sets up both ends, and puts together what they have measured.
//!
//! ```text
//!   near thread: pin ─ bind ─ wait for the peer ─ measure
//!   far thread (or process):  pin ─ connect ─ wait for the peer ─ send or answer
//! ```
//!
//! Invariant: an end that fails closes the context, so that the other does not wait for it for ever.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::Duration;

use hdrhistogram::Histogram;
use indicatif::ProgressBar;
use taipan::{Context, Endpoint};

use super::cpu::pin_to;
use super::ends::{Far, Near, asynchronous, blocking};
use super::peer;
use super::plan::Row;
use super::sides::{drive, far, meet, open};
use crate::args::{Runtime, Test, Transport};
use crate::failure::Failure;

/// A finished row.
pub struct Measured {
    pub row: Row,
    /// Messages, or round trips.
    pub messages: u64,
    pub seconds: f64,
    /// CPU time of both ends.
    pub cpu: Duration,
    /// Round trips in nanoseconds.
    pub round_trips: Option<Histogram<u64>>,
    /// The link was over shared memory.
    pub shared: bool,
    /// Loans that did not lie in shared memory, warm-up included.
    pub ordinary_loans: u64,
}

impl Measured {
    /// Messages (round trips) a second.
    pub fn rate(&self) -> f64 {
        self.messages as f64 / self.seconds.max(1e-9)
    }

    /// Payload bytes a second, in one direction.
    pub fn bytes_per_second(&self) -> f64 {
        self.rate() * self.row.spec.size as f64
    }

    /// The rate held, where 1 is the one that was asked for.
    pub fn rate_held(&self) -> Option<f64> {
        let rate = self.row.spec.rate?;
        Some(self.bytes_per_second() / rate as f64)
    }

    /// Microseconds of CPU time a message, over both ends.
    pub fn cpu_per_message(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.messages.max(1) as f64
    }

    /// A quantile of the round trips in microseconds, 1 being the longest.
    pub fn quantile(&self, quantile: f64) -> Option<f64> {
        let nanoseconds = self.round_trips.as_ref()?.value_at_quantile(quantile);
        Some(nanoseconds as f64 / 1000.0)
    }
}

/// The first failure of the two ends; what the other says afterwards is only its consequence.
#[derive(Default)]
struct FirstFailure(Mutex<Option<Failure>>);

impl FirstFailure {
    fn note(&self, failure: Failure) {
        if let Ok(mut first) = self.0.lock() {
            first.get_or_insert(failure);
        }
    }

    /// Runs one end; if it fails, closes the context under the other.
    fn watch<T>(&self, context: &Context, end: impl FnOnce() -> Result<T, Failure>) -> Option<T> {
        let result = end();
        result
            .map_err(|failure| {
                self.note(failure);
                context.shutdown();
            })
            .ok()
    }

    fn take(&self) -> Failure {
        let first = self.0.lock().ok().and_then(|mut first| first.take());
        first.unwrap_or_else(|| Failure::Runtime("an end of the measurement broke down".into()))
    }
}

/// Measures one row in this context, which should have no other sockets.
pub fn measure(row: Row, context: &Context, bar: &ProgressBar) -> Result<Measured, Failure> {
    let first = &FirstFailure::default();
    let (tell, told) = mpsc::sync_channel(1);
    let (near, far) = thread::scope(|scope| {
        let near =
            scope.spawn(move || first.watch(context, || near(row, context, bar.clone(), &tell)));
        // Without an endpoint the near end has failed.
        let far = told.recv().ok().map(|endpoint| {
            scope.spawn(move || {
                first.watch(context, || match row.peer {
                    true => peer::far_process(row, &endpoint),
                    false => far_thread(row, context, endpoint),
                })
            })
        });
        (
            near.join().ok().flatten(),
            far.and_then(|far| far.join().ok().flatten()),
        )
    });
    let (Some((near, shared)), Some((far, far_cpu))) = (near, far) else {
        return Err(first.take());
    };
    if near.messages != far.messages {
        return Err(Failure::Runtime(format!(
            "{} messages were sent, {} arrived",
            far.messages, near.messages
        )));
    }
    Ok(Measured {
        row,
        messages: near.messages,
        seconds: near.time.as_secs_f64(),
        cpu: near.cpu + far_cpu,
        round_trips: near.round_trips,
        shared,
        ordinary_loans: far.ordinary_loans,
    })
}

/// What was measured, and whether the link was over shared memory.
fn near(
    row: Row,
    context: &Context,
    bar: ProgressBar,
    tell: &mpsc::SyncSender<Endpoint>,
) -> Result<(Near, bool), Failure> {
    pin_to(row.cpus.0)?;
    let spec = row.spec;
    let socket = open(context, spec.kinds().0, spec.manner)?;
    let address = match row.transport {
        Transport::Inproc => "inproc://perf",
        Transport::Ipc => "ipc://*",
        Transport::Tcp => "tcp://127.0.0.1:*",
    };
    let endpoint = socket
        .bind(address)
        .map_err(|error| Failure::because(address, error))?;
    // Nobody listens if the other end could not be started; then there will be no peer.
    let _ = tell.send(endpoint);
    meet(&socket)?;
    let shared = socket.stats().peers.iter().any(|peer| peer.shared_memory);
    let near = match (spec.test, spec.runtime) {
        (Test::Thr, Runtime::Blocking) => blocking::count(socket, spec, bar),
        (Test::Thr, runtime) => drive(runtime, asynchronous::count(socket, spec, bar)),
        (Test::Lat, Runtime::Blocking) => blocking::ask(socket, spec, bar),
        (Test::Lat, runtime) => drive(runtime, asynchronous::ask(socket, spec, bar)),
    };
    Ok((near?, shared))
}

/// What it did, and no CPU time: that of the whole process is measured at the near end.
fn far_thread(row: Row, context: &Context, endpoint: Endpoint) -> Result<(Far, Duration), Failure> {
    pin_to(row.cpus.1)?;
    let far = far(row.spec, context, endpoint)?;
    Ok((far, Duration::ZERO))
}
