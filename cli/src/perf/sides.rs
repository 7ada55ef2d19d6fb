//! What both ends of a row need: their sockets, how they meet, the runtime they run on; and the far end as a whole, which
//! is a thread of `run` or the process of `peer`.

use std::future::Future;
use std::time::Duration;

use taipan::throttle::{Budget, Limits, Throttled};
use taipan::{AnySocket, Context, Endpoint, Options, SocketKind, kind};

use super::ends::{Far, asynchronous, blocking};
use super::plan::{Manner, Spec};
use crate::args::{Runtime, Shared, Test, Views};
use crate::failure::Failure;

/// How long the ends wait for each other before the first message.
const MEETING: Duration = Duration::from_secs(10);

/// How long what the far end has sent may take to go out.
const LINGER: Duration = Duration::from_secs(10);

/// Payload that may wait in each direction: large messages would fill the memory within the usual 1000.
const WAITING_BYTES: usize = 64 << 20;

/// The far end in this thread.
pub fn far(spec: Spec, context: &Context, endpoint: Endpoint) -> Result<Far, Failure> {
    let socket = open(context, spec.kinds().1, spec.manner)?;
    socket
        .connect(&endpoint)
        .map_err(|error| Failure::because(&endpoint, error))?;
    meet(&socket)?;
    match (spec.test, spec.runtime) {
        (Test::Thr, runtime) => match (spec.rate, runtime) {
            (None, Runtime::Blocking) => blocking::stream(socket, spec),
            (None, _) => drive(runtime, asynchronous::stream(socket, spec)),
            (Some(rate), Runtime::Blocking) => blocking::trickle(slowed(&socket, rate)?, spec),
            (Some(rate), _) => drive(runtime, asynchronous::trickle(slowed(&socket, rate)?, spec)),
        },
        (Test::Lat, Runtime::Blocking) => blocking::answer(socket, spec),
        (Test::Lat, runtime) => drive(runtime, asynchronous::answer(socket, spec)),
    }
}

pub fn open(context: &Context, kind: SocketKind, manner: Manner) -> Result<AnySocket, Failure> {
    let mut options = Options::default();
    options.linger = Some(LINGER);
    options.send_hwm_bytes = WAITING_BYTES;
    options.recv_hwm_bytes = WAITING_BYTES;
    options.xpub_nodrop = true;
    options.shared_memory.enabled = manner.shared == Shared::On;
    options.shared_memory.views = match manner.views {
        Views::Auto => taipan::Views::SameUser,
        Views::Never => taipan::Views::Never,
        Views::Always => taipan::Views::Always,
    };
    options.spin = manner.spin;
    let socket =
        AnySocket::of(context, kind, options).map_err(|error| Failure::because(kind, error))?;
    if kind == SocketKind::Sub {
        socket
            .subscribe("")
            .map_err(|error| Failure::because(kind, error))?;
    }
    Ok(socket)
}

/// The socket, keeping to a rate.
fn slowed(socket: &AnySocket, rate: u64) -> Result<Throttled<kind::Any>, Failure> {
    let budget = Budget::new(Limits::bytes(rate));
    let budget = budget.map_err(|error| Failure::because("--rate", error))?;
    Ok(Throttled::new(socket).sending(&budget))
}

pub fn meet(socket: &AnySocket) -> Result<(), Failure> {
    let met = match socket.kind() {
        SocketKind::Pub => socket.blocking_wait_for_subscribers(1, Some(MEETING)),
        _ => socket.blocking_wait_for_peers(1, Some(MEETING)),
    };
    match met {
        true => Ok(()),
        false => Err(Failure::TimedOut(format!(
            "the two ends did not meet within {MEETING:?}"
        ))),
    }
}

/// Runs one end on a runtime of its own.
pub fn drive<T: Send + 'static>(
    runtime: Runtime,
    end: impl Future<Output = Result<T, Failure>> + Send + 'static,
) -> Result<T, Failure> {
    use tokio::runtime::Builder;
    let multi = runtime == Runtime::Multi;
    let mut builder = if multi {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    let runtime = builder.worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start a runtime", error))?;
    if !multi {
        return runtime.block_on(end);
    }
    // On a worker, where the tasks of users are, and not beside them.
    let task = runtime.spawn(end);
    runtime
        .block_on(task)
        .map_err(|error| Failure::because("an end of the measurement", error))?
}
