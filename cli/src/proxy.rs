//! `taipan proxy`: forwards messages between two sockets until it is interrupted.
//!
//! With a rate it shapes the link of whoever is put behind it: the links of one side share a budget for what comes in
//! from them, so that whoever sends more is held up there as by a slow peer.
//!
//! What it is not: the forwarding, which is the library's [`taipan::Proxy`]. Invariant: what the proxy had
//! received when it ended goes out within the linger time, or is counted and reported.

use taipan::throttle::{Budget, Limits, LinkBudgets, throttle_links};
use taipan::{AnySocket, Context, Options, Proxy, SocketKind};

use crate::args::{Forward, ProxyArgs, Side};
use crate::failure::{Failure, say};
use crate::sockets::{Interrupts, Talk, block_on, close, connect, finish, listen, tell_events};

/// Forwards until an interrupt.
pub fn run(args: &ProxyArgs) -> Result<(), Failure> {
    block_on(serve(args))
}

async fn serve(args: &ProxyArgs) -> Result<(), Failure> {
    let mut interrupts = Interrupts::new()?;
    let context = Context::new();
    let worked = forward(&context, args, &mut interrupts).await;
    let left = close(context, &mut interrupts).await?;
    let (worked, held) = match worked {
        Ok(held) => (Ok(()), held),
        Err(failure) => (Err(failure), 0),
    };
    finish(worked, left + held)
}

/// Returns how many messages were received and not passed on.
async fn forward(
    context: &Context,
    args: &ProxyArgs,
    interrupts: &mut Interrupts,
) -> Result<u64, Failure> {
    let talk = Talk::new(args.quiet, args.verbose);
    let (front, back) = match args.kind {
        Forward::PullPush => (SocketKind::Pull, SocketKind::Push),
        Forward::XsubXpub => (SocketKind::XSub, SocketKind::XPub),
        Forward::RouterDealer => (SocketKind::Router, SocketKind::Dealer),
    };
    let open = |kind| {
        let mut options = Options::default();
        options.send_hwm = args.hwm;
        options.recv_hwm = args.hwm;
        options.linger = args.linger.or(options.linger);
        options.shared_memory.enabled = !args.no_shared_memory;
        let socket = AnySocket::of(context, kind, options)
            .map_err(|error| Failure::Usage(error.to_string()))?;
        if talk == Talk::Verbose {
            tell_events(&socket);
        }
        Ok::<_, Failure>(socket)
    };
    let (frontend, backend) = (open(front)?, open(back)?);
    if args.rate_out.is_some() && args.kind != Forward::RouterDealer {
        return Err(Failure::Usage(
            "--rate-out is for replies: there are none but with --kind router-dealer".into(),
        ));
    }
    let inward = shape(&frontend, "--rate-in", args.rate_in)?;
    let outward = shape(&backend, "--rate-out", args.rate_out)?;
    for (socket, address, side) in [
        (&frontend, &args.frontend, Side::Frontend),
        (&backend, &args.backend, Side::Backend),
    ] {
        match args.connect.contains(&side) {
            true => connect(socket, address)?,
            false => listen(socket, address, talk)?,
        }
    }
    let mut proxy = Proxy::new(&frontend, &backend);
    if let Some(address) = &args.capture {
        let capture = open(SocketKind::Pub)?;
        listen(&capture, address, talk)?;
        proxy = proxy.capture(&capture);
    }
    let handle = proxy.handle();
    let mut running = std::pin::pin!(proxy.run());
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = interrupts.next() => {
            handle.terminate();
            running.await
        }
    };
    let report = ended.map_err(|error| Failure::Runtime(error.to_string()))?;
    if talk == Talk::Verbose {
        let (front, back) = (report.statistics.frontend, report.statistics.backend);
        say(format_args!(
            "{} forwarded, {} returned",
            back.messages_sent, front.messages_sent
        ));
        for (what, budget) in [("forward", inward), ("back", outward)] {
            let Some(stats) = budget.map(|budget| budget.stats()) else {
                continue;
            };
            say(format_args!(
                "{} of {} messages delayed on the way {what}, {:.3} s in all",
                stats.delayed,
                stats.messages,
                stats.delay.as_secs_f64()
            ));
        }
    }
    Ok(report.unsent.len() as u64)
}

/// Limits what all peers of a socket send together.
fn shape(socket: &AnySocket, flag: &str, rate: Option<u64>) -> Result<Option<Budget>, Failure> {
    let Some(rate) = rate else { return Ok(None) };
    let budget = Budget::new(Limits::bytes(rate));
    let budget = budget.map_err(|error| Failure::Usage(format!("{flag}: {error}")))?;
    let shared = budget.clone();
    throttle_links(socket, move |_| LinkBudgets::receiving(&shared));
    Ok(Some(budget))
}
