//! What every command does with sockets: endpoints, events, interrupts, and an orderly end.
//!
//! Invariant: wrong addresses are wrong usage; what the system refuses is a failure.

use std::fmt::Display;
use std::mem::ManuallyDrop;

use taipan::{AnySocket, BindError, ConnectError, Context, Endpoint, MonitorError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::{Failure, messages, say};

/// How much is told on stderr.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Talk {
    /// Errors.
    Quiet,
    /// And addresses that the system chose.
    Normal,
    /// And what happens to connections.
    Verbose,
}

impl Talk {
    /// From the two flags, which exclude each other.
    pub fn new(quiet: bool, verbose: bool) -> Talk {
        match (quiet, verbose) {
            (true, _) => Talk::Quiet,
            (_, true) => Talk::Verbose,
            _ => Talk::Normal,
        }
    }
}

/// A runtime in this thread, for commands that wait for several things at once.
pub fn block_on<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start", error))?;
    let result = runtime.block_on(command);
    // A write to a pipe that nobody reads may never return.
    runtime.shutdown_background();
    result
}

/// Listens, and says where if the user cannot know it.
pub fn listen(socket: &AnySocket, address: &Endpoint, talk: Talk) -> Result<(), Failure> {
    let resolved = socket.bind(address.clone()).map_err(|error| match error {
        BindError::Endpoint(_) | BindError::UnknownScheme(_) => usage(address, error),
        _ => Failure::because(address, error),
    })?;
    if talk == Talk::Verbose || (talk == Talk::Normal && resolved != *address) {
        say(format_args!("listening at {resolved}"));
    }
    Ok(())
}

/// Connects in the background.
pub fn connect(socket: &AnySocket, address: &Endpoint) -> Result<(), Failure> {
    let connected = socket
        .connect(address.clone())
        .map_err(|error| match error {
            ConnectError::Endpoint(_) | ConnectError::UnknownScheme(_) => usage(address, error),
            _ => Failure::because(address, error),
        });
    connected.map(|_| ())
}

fn usage(address: &Endpoint, error: impl Display) -> Failure {
    Failure::Usage(format!("{address}: {error}"))
}

/// Tells on stderr what happens to the connections of a socket.
pub fn tell_events(socket: &AnySocket) {
    let mut monitor = socket.monitor();
    tokio::spawn(async move {
        loop {
            match monitor.recv().await {
                Ok(event) => say(event),
                Err(MonitorError::Lagged(count)) => say(format_args!("{count} events were missed")),
                Err(_) => return,
            }
        }
    });
}

/// Closes all sockets and waits until everything is out, the linger time is over, or an interrupt comes.
/// Returns how many messages were left.
pub async fn close(context: Context, interrupts: &mut Interrupts) -> Result<u64, Failure> {
    // The last handle waits when it is dropped; after an interrupt nothing is to be waited for.
    let kept = ManuallyDrop::new(context.clone());
    let report = tokio::select! {
        report = context.terminate_async() => report,
        () = interrupts.next() => return Err(Failure::Interrupted),
    };
    // Nothing is left to wait for but the context's own thread, which removes the files of its sockets.
    drop(ManuallyDrop::into_inner(kept));
    Ok(report.unsent_messages)
}

/// The end of a command that did its work or not, when so many messages are left.
pub fn finish(worked: Result<(), Failure>, unsent: u64) -> Result<(), Failure> {
    if unsent == 0 || matches!(worked, Err(Failure::OutputClosed)) {
        return worked;
    }
    if let Err(failure) = worked {
        failure.report();
    }
    Err(Failure::TimedOut(format!("{} not sent", messages(unsent))))
}

/// SIGINT and SIGTERM.
pub struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// From now on these signals no longer end the process by themselves.
    pub fn new() -> Result<Interrupts, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::because("signals", error));
        Ok(Interrupts {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    /// Waits for one of them. Cancel safe.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
