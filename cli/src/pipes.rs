//! A socket between stdin and stdout.
//!
//! ```text
//!   stdin ─► Input ─► send ─► socket ─► recv ─► Output ─► stdout
//! ```
//!
//! Invariants: messages keep their order; at the end everything that was accepted goes out, or is counted and
//! reported; every wait is bounded by `--timeout`, if there is one, and ended by an interrupt. A second
//! interrupt does not wait for what is still to go out.

mod flow;

use std::time::Duration;

use taipan::{AnySocket, Context, Options, SocketKind};

use crate::args::PipeArgs;
use crate::failure::{Failure, say};
use crate::frames::Codec;
use crate::input::Input;
use crate::output::Output;
use crate::sockets::{Interrupts, Talk, block_on, close, connect, finish, listen, tell_events};
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
    block_on(serve(kind, args, extras))
}

async fn serve(kind: SocketKind, args: &PipeArgs, extras: Extras) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let context = Context::new();
    let socket = open(&context, kind, args, &extras)?;
    let talk = Talk::new(args.quiet, args.verbose);
    if talk == Talk::Verbose {
        tell_events(&socket);
    }
    let codec = Codec::new(args.format, kind);
    let mut flow = Flow::new(socket.clone(), args, extras.echo, Output::new(codec));
    let worked = match attach(&socket, args, talk) {
        Ok(()) => tokio::select! {
            worked = work(&mut flow, codec) => worked,
            () = interrupts.next() => flow.interrupted(),
        },
        refused => refused,
    };
    if matches!(worked, Err(Failure::OutputClosed)) {
        // Quietly, and soon.
        let _ = socket.update_options(|options| options.linger = Some(Duration::ZERO));
    }
    if talk == Talk::Verbose {
        let dropped = socket.stats().drops.total();
        say(format_args!(
            "{} sent, {} received, {dropped} dropped",
            flow.sent, flow.received
        ));
    }
    drop((flow, socket));
    let unsent = close(context, &mut interrupts).await?;
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
    options.shared_memory.enabled = !args.no_shared_memory;
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

fn attach(socket: &AnySocket, args: &PipeArgs, talk: Talk) -> Result<(), Failure> {
    args.addresses
        .iter()
        .try_for_each(|address| match args.bind {
            true => listen(socket, address, talk),
            false => connect(socket, address),
        })
}
