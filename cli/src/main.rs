//! `taipan`: the command-line companion of the taipan messaging library.
//!
//! This file only hands over and turns the end into an exit code: 0 for success, 1 for what failed while
//! running (a timeout is such a failure), 2 for wrong usage, 130 for an interrupt that left work undone.
//!
//! ```text
//!   args (what was asked) ◄── commands ──► pipes (stdin, stdout and a socket) ──► frames (bytes <-> messages)
//!                                     ├──► proxy (two sockets)
//!                                     ├──► rpc   (call, list, serve)
//!                                     └──► perf  (plan ► run (► peer) ► report, chart; rpc)
//!   sockets: what they share; failure: what can go wrong, and its exit code
//! ```

mod args;
mod commands;
mod failure;
mod frames;
mod input;
mod output;
mod perf;
mod pipes;
mod proxy;
mod rpc;
mod sockets;
mod values;

use clap::Parser;

fn main() {
    let cli = args::Cli::parse();
    let code = match commands::run(cli.command) {
        Ok(()) => 0,
        Err(failure) => failure.report(),
    };
    // The thread that reads stdin may be waiting for input that nobody wants any more: leave it behind.
    std::process::exit(code);
}
