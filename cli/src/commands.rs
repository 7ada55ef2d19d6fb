//! Who does what was asked.

use taipan::SocketKind;

use crate::args::{Command, PerfCommand};
use crate::failure::Failure;
use crate::{perf, pipes, proxy, rpc};

/// Does what was asked.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Push(pipe) => pipes::run(SocketKind::Push, &pipe, pipes::Extras::default()),
        Command::Pull(pipe) => pipes::run(SocketKind::Pull, &pipe, pipes::Extras::default()),
        Command::Pub(args) => {
            let extras = pipes::Extras {
                drop: args.drop,
                ..Default::default()
            };
            pipes::run(SocketKind::Pub, &args.pipe, extras)
        }
        Command::Sub(args) => {
            let extras = pipes::Extras {
                topics: args.topics,
                ..Default::default()
            };
            pipes::run(SocketKind::Sub, &args.pipe, extras)
        }
        Command::Req(pipe) => pipes::run(SocketKind::Req, &pipe, pipes::Extras::default()),
        Command::Rep(args) => {
            let extras = pipes::Extras {
                echo: args.echo,
                ..Default::default()
            };
            pipes::run(SocketKind::Rep, &args.pipe, extras)
        }
        Command::Dealer(pipe) => pipes::run(SocketKind::Dealer, &pipe, pipes::Extras::default()),
        Command::Router(pipe) => pipes::run(SocketKind::Router, &pipe, pipes::Extras::default()),
        Command::Pair(pipe) => pipes::run(SocketKind::Pair, &pipe, pipes::Extras::default()),
        Command::Proxy(args) => proxy::run(&args),
        Command::Rpc(command) => rpc::run(&command),
        Command::Perf(perf) => match perf.command {
            Some(PerfCommand::Rpc(calls)) => perf::run_rpc(&calls),
            None => perf::run(&perf),
        },
        Command::PerfPeer(peer) => perf::run_peer(&peer),
        Command::PerfRpcPeer(peer) => perf::run_rpc_peer(&peer),
    }
}
