//! A socket between stdin and stdout.
//!
//! ```text
//!   stdin ─► Input ─► send ─► socket ─► recv ─► Output ─► stdout
//! ```
//!
//! Invariants: messages keep their order; at the end everything that was accepted goes out, or is counted and
//! reported; every wait is bounded by `--timeout`, if there is one, and ended by an interrupt. A second
//! interrupt does not wait for what is still to go out.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::time::Duration;

use taipan::{
    AnySocket, BindError, ConnectError, Context, Message, MonitorError, Options, SendErrorKind,
    SocketKind,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::args::PipeArgs;
use crate::failure::{Failure, say};
use crate::frames::Codec;
use crate::input::Input;
use crate::output::Output;

mod flow;

use flow::Flow;

/// What only some kinds of sockets take.
#[derive(Debug, Default)]
pub struct Extras {
    /// PUB: drop instead of waiting for slow subscribers.
    pub drop: bool,
    /// SUB: what wanted messages begin with.
    pub topics: Vec<String>,
    /// REP: reply with the request.
    pub echo: bool,
}

/// Runs one socket until its work is done.
pub fn run(kind: SocketKind, args: &PipeArgs, extras: Extras) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.map_err(|error| Failure::because("cannot start", error))?;
    let result = runtime.block_on(serve(kind, args, extras));
    // A write to a pipe that nobody reads may never return.
    runtime.shutdown_background();
    result
}

async fn serve(kind: SocketKind, args: &PipeArgs, extras: Extras) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let context = Context::new();
    // The last handle waits for lingering messages when it is dropped; here that is done below, and on the
    // other ways out not at all.
    let _kept = ManuallyDrop::new(context.clone());
    let socket = open(&context, kind, args, &extras)?;
    if args.verbose {
        tell_events(&socket);
    }
    attach(&socket, args)?;
    let codec = Codec::new(args.format, kind);
    let mut flow = Flow::new(socket.clone(), args, &extras, Output::new(codec));
    let worked = tokio::select! {
        worked = work(&mut flow, codec) => worked,
        () = interrupts.next() => flow.interrupted(),
    };
    if matches!(worked, Err(Failure::OutputClosed)) {
        return worked;
    }
    let stats = socket.stats();
    if args.verbose {
        say(format_args!(
            "{} sent, {} received, {} dropped",
            flow.sent,
            flow.received,
            stats.drops.total()
        ));
    }
    drop((flow, socket));
    let unsent = tokio::select! {
        report = context.terminate_async() => report.unsent_messages,
        () = interrupts.next() => return Err(Failure::Interrupted),
    };
    finish(worked, unsent)
}

async fn work(flow: &mut Flow, codec: Codec) -> Result<(), Failure> {
    flow.wait_for_peers().await?;
    let input = || Input::start(codec).map_err(|error| Failure::because("stdin", error));
    match flow.socket.kind() {
        SocketKind::Push | SocketKind::Pub => flow.send_all(input()?).await,
        SocketKind::Pull | SocketKind::Sub => flow.receive_all().await,
        SocketKind::Req => flow.ask(input()?).await,
        SocketKind::Rep if flow.echo => flow.echo().await,
        SocketKind::Rep => flow.answer(input()?).await,
        _ => flow.both_ways(input()?).await,
    }
}

/// What is left unsent makes a failure of any end.
fn finish(worked: Result<(), Failure>, unsent: u64) -> Result<(), Failure> {
    if unsent == 0 {
        return worked;
    }
    if let Err(failure) = worked {
        failure.report();
    }
    let messages = if unsent == 1 {
        "message was"
    } else {
        "messages were"
    };
    Err(Failure::TimedOut(format!("{unsent} {messages} not sent")))
}

fn open(
    context: &Context,
    kind: SocketKind,
    args: &PipeArgs,
    extras: &Extras,
) -> Result<AnySocket, Failure> {
    let mut options = Options::default();
    options.send_hwm = args.hwm;
    options.recv_hwm = args.hwm;
    options.linger = args.linger.or(args.timeout).or(options.linger);
    options.xpub_nodrop = !extras.drop;
    options.router_mandatory = true;
    if let Some(id) = &args.routing_id {
        options.routing_id = id.clone().into_bytes().into();
    }
    let usage = |error: &dyn std::fmt::Display| Failure::Usage(error.to_string());
    let socket = AnySocket::of(context, kind, options).map_err(|error| usage(&error))?;
    if kind == SocketKind::Sub {
        let everything = extras.topics.is_empty().then_some("");
        for topic in extras.topics.iter().map(String::as_str).chain(everything) {
            socket.subscribe(topic).map_err(|error| usage(&error))?;
        }
    }
    Ok(socket)
}

fn attach(socket: &AnySocket, args: &PipeArgs) -> Result<(), Failure> {
    for address in &args.addresses {
        if args.bind {
            let resolved = socket.bind(address.clone()).map_err(|error| match error {
                BindError::Endpoint(_) | BindError::UnknownScheme(_) => {
                    Failure::Usage(format!("{address}: {error}"))
                }
                _ => Failure::because(address, error),
            })?;
            // A port or a path that the system chose is of use only to those who know it.
            if args.verbose || (!args.quiet && resolved != *address) {
                say(format_args!("listening at {resolved}"));
            }
        } else {
            socket
                .connect(address.clone())
                .map_err(|error| match error {
                    ConnectError::Endpoint(_) | ConnectError::UnknownScheme(_) => {
                        Failure::Usage(format!("{address}: {error}"))
                    }
                    _ => Failure::because(address, error),
                })?;
        }
    }
    Ok(())
}

fn tell_events(socket: &AnySocket) {
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

/// SIGINT and SIGTERM.
struct Interrupts {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

impl Interrupts {
    fn new() -> Result<Interrupts, Failure> {
        let listen = |kind| signal(kind).map_err(|error| Failure::because("signals", error));
        Ok(Interrupts {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
