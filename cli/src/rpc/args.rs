//! What can be asked of `taipan rpc`. The doc comments are the help texts.

use std::time::Duration;

use clap::{Args, Subcommand};
use taipan::Endpoint;

use crate::values::duration;

#[derive(Debug, Subcommand)]
pub enum RpcCommand {
    /// Calls a method with JSON arguments, writes its result as JSON
    Call(CallArgs),
    /// Says what a server serves
    List(ListArgs),
    /// Serves methods with a command: the arguments on its stdin, the result from its stdout, both as JSON
    Serve(ServeArgs),
}

#[derive(Debug, Args)]
pub struct CallArgs {
    /// Where the server listens: tcp://host:port, ipc:///path
    pub address: Endpoint,
    /// Service.method
    pub method: String,
    /// The arguments, each of them JSON
    #[arg(value_name = "JSON")]
    pub arguments: Vec<String>,
    /// How long to wait, the connection included
    #[arg(short, long, value_name = "TIME", value_parser = duration, default_value = "30s")]
    pub timeout: Duration,
    /// The result is a stream: write each item on a line as it comes
    #[arg(long, conflicts_with = "signal")]
    pub stream: bool,
    /// Send it and do not wait for an answer
    #[arg(long)]
    pub signal: bool,
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Where the server listens
    pub address: Endpoint,
    /// How long to wait, the connection included
    #[arg(short, long, value_name = "TIME", value_parser = duration, default_value = "10s")]
    pub timeout: Duration,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<Endpoint>,
    /// What is run for each call, by sh: it gets the method as TAIPAN_METHOD, and fails with its exit code and stderr
    #[arg(short, long)]
    pub command: String,
    /// The service whose methods these are; * for all there are
    #[arg(long, default_value = "*")]
    pub service: String,
    /// Commands that run at a time; more calls wait [default: one for each CPU]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Say nothing but errors on stderr
    #[arg(short, long)]
    pub quiet: bool,
}
