//! The command line: what can be asked, and who does it.
//!
//! What it is not: the doing. The doc comments here are the help texts. Addresses, durations and sizes are
//! parsed here, so that what comes behind holds only valid values; a wrong one ends with exit code 2.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use taipan::{Endpoint, Spin};

use crate::frames::Format;
use crate::rpc::RpcCommand;
use crate::values::{duration, rate, size, spin};

/// Sockets on the command line: sends and receives messages, forwards them, measures them.
#[derive(Debug, Parser)]
#[command(name = "taipan", version, disable_help_subcommand = true)]
#[command(
    after_help = "Exit codes: 0 done, 1 failed or timed out, 2 wrong usage, 130 interrupted."
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Hands out what stdin says: each message to one of the PULL peers, in turn
    Push(PipeArgs),
    /// Receives from PUSH peers, writes to stdout
    Pull(PipeArgs),
    /// Publishes what stdin says to all SUB peers; waits for the first subscriber
    Pub(PubArgs),
    /// Receives from PUB peers what begins with a topic, writes to stdout
    Sub(SubArgs),
    /// Asks: sends a message of stdin, writes the reply to stdout, and so on
    Req(PipeArgs),
    /// Answers: writes a request to stdout, replies with a message of stdin, and so on
    Rep(RepArgs),
    /// Sends what stdin says to the peers in turn, writes what they send to stdout
    Dealer(PipeArgs),
    /// As dealer, with a routing id in front of each message: from whom, and to whom
    Router(PipeArgs),
    /// Sends what stdin says to the one peer, writes what it sends to stdout
    Pair(PipeArgs),
    /// Forwards messages between two sockets, until interrupted
    Proxy(ProxyArgs),
    /// Calls methods, lists them, serves them
    #[command(subcommand)]
    Rpc(RpcCommand),
    /// Measures throughput and latency; alone, a short tour of all transports
    Perf(PerfArgs),
    /// The other end of a measurement between two processes
    #[command(hide = true)]
    PerfPeer(PeerArgs),
    /// The other end of a measurement of calls between two processes
    #[command(hide = true)]
    PerfRpcPeer(RpcPeerArgs),
}

/// What all sockets on stdin and stdout take.
#[derive(Debug, Args)]
pub struct PipeArgs {
    /// Where to connect to (or to listen, with --bind): tcp://host:port, ipc:///path
    #[arg(required = true, value_name = "ADDRESS")]
    pub addresses: Vec<Endpoint>,
    /// Listen at the addresses instead of connecting to them
    #[arg(short, long)]
    pub bind: bool,
    /// How messages are written on stdin and stdout
    #[arg(short, long, value_enum, default_value = "lines")]
    pub format: Format,
    /// Stop after so many messages (received ones where both ways are possible; pairs of request and reply)
    #[arg(short = 'n', long, value_name = "N")]
    pub count: Option<u64>,
    /// Fail when a single step (a peer, a message, room to send) takes longer: 500ms, 2s, 1.5
    #[arg(short, long, value_name = "TIME", value_parser = duration)]
    pub timeout: Option<Duration>,
    /// How long the end waits for messages to go out [default: the timeout, or 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub linger: Option<Duration>,
    /// Wait for so many peers (PUB: subscribers) before sending [default: 1 for pub, else 0]
    #[arg(short, long, value_name = "N")]
    pub peers: Option<usize>,
    /// How many messages wait for each peer, in and out; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub hwm: usize,
    /// At ipc:// addresses, stay on the Unix socket
    #[arg(long)]
    pub no_shared_memory: bool,
    /// What a ROUTER calls this socket
    #[arg(long, value_name = "ID")]
    pub routing_id: Option<String>,
    /// Say nothing but errors on stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// Tell on stderr what happens to the connections, and how much went through
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

#[derive(Debug, Args)]
pub struct PubArgs {
    #[command(flatten)]
    pub pipe: PipeArgs,
    /// Drop messages for subscribers that are too slow, instead of waiting for them
    #[arg(long)]
    pub drop: bool,
}

#[derive(Debug, Args)]
pub struct SubArgs {
    #[command(flatten)]
    pub pipe: PipeArgs,
    /// What wanted messages begin with; may be given several times [default: everything]
    #[arg(long = "topic", value_name = "PREFIX")]
    pub topics: Vec<String>,
}

#[derive(Debug, Args)]
pub struct RepArgs {
    #[command(flatten)]
    pub pipe: PipeArgs,
    /// Reply with the request; stdin is not read
    #[arg(short, long)]
    pub echo: bool,
}

/// The sockets of a proxy: the frontend's kind, then the backend's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Forward {
    /// From PUSH peers to PULL peers
    PullPush,
    /// From PUB peers to SUB peers, and subscriptions back
    XsubXpub,
    /// From REQ or DEALER peers to REP or DEALER peers, and replies back
    RouterDealer,
}

/// One of the two sockets of a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    Frontend,
    Backend,
}

#[derive(Debug, Args)]
pub struct ProxyArgs {
    /// Where the senders (requesters, publishers) come
    pub frontend: Endpoint,
    /// Where the receivers (repliers, subscribers) come
    pub backend: Endpoint,
    /// What is forwarded
    #[arg(short, long, value_enum)]
    pub kind: Forward,
    /// The sides that connect to their address instead of listening
    #[arg(long, value_enum, value_name = "SIDE", value_delimiter = ',')]
    pub connect: Vec<Side>,
    /// Publish a copy of everything that is forwarded at this address
    #[arg(long, value_name = "ADDRESS")]
    pub capture: Option<Endpoint>,
    /// At most so many bytes a second from the frontend to the backend: 50MB, 64KiB
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate_in: Option<u64>,
    /// At most so many bytes a second from the backend to the frontend
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate_out: Option<u64>,
    /// How long the end waits for messages to go out [default: 30s]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub linger: Option<Duration>,
    /// How many messages wait for each peer, in and out; 0 for no limit
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub hwm: usize,
    /// At ipc:// addresses, stay on the Unix socket
    #[arg(long)]
    pub no_shared_memory: bool,
    /// Say nothing but errors on stderr
    #[arg(short, long)]
    pub quiet: bool,
    /// Tell on stderr what happens to the connections, and how much went through
    #[arg(short, long, conflicts_with = "quiet")]
    pub verbose: bool,
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Test {
    /// Round trips, one after the other
    Lat,
    /// Messages in one direction, as fast as they go
    Thr,
}

/// Who talks to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pattern {
    /// thr (default)
    PushPull,
    /// thr; the publisher waits for the subscriber instead of dropping
    PubSub,
    /// thr and lat
    DealerRouter,
    /// lat (default)
    ReqRep,
    /// lat
    Pair,
}

/// How messages cross.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Transport {
    /// From thread to thread
    Inproc,
    /// On this machine
    Ipc,
    /// Over the loopback device
    Tcp,
}

/// Whether ipc uses shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Shared {
    /// Yes, on Linux
    On,
    /// No: ZMTP over the Unix socket
    Off,
}

/// Whether a receiver reads large messages in the sender's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Views {
    /// If the sender runs as the same user, which it does here
    Auto,
    /// No: every message is copied when it is received
    Never,
    /// Whoever the sender is
    Always,
}

/// Who calls the sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Runtime {
    /// Async calls on a current-thread tokio runtime
    Current,
    /// Async calls on a multi-thread tokio runtime with two workers
    Multi,
    /// Blocking calls, no runtime
    Blocking,
}

/// On which CPUs the ends run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Pin {
    /// Both on the same CPU
    Same,
    /// Each on its own
    Split,
    /// Where the system puts them
    None,
}

#[derive(Debug, Subcommand)]
pub enum PerfCommand {
    /// Calls of a method that returns its argument
    Rpc(RpcPerfArgs),
}

/// Lists are separated by commas; every combination is a row.
#[derive(Debug, Args)]
pub struct RpcPerfArgs {
    /// Transports
    #[arg(long, value_enum, value_delimiter = ',', default_value = "tcp")]
    pub transport: Vec<Transport>,
    /// Sizes of the argument, and of the result, such as 64,1k
    #[arg(long, value_parser = size, value_delimiter = ',', default_value = "64")]
    pub size: Vec<usize>,
    /// Calls that are under way at a time
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,64", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub in_flight: Vec<u32>,
    /// Calls a row
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Time a row
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "2s")]
    pub duration: Duration,
    /// Two processes instead of two threads of one
    #[arg(long)]
    pub peer: bool,
    /// What the two ends run on
    #[arg(long, value_enum, value_delimiter = ',', default_value = "current")]
    pub runtime: Vec<Runtime>,
    /// On which CPUs the two ends run
    #[arg(long, value_enum, default_value = "none")]
    pub pin: Pin,
    /// Print a JSON object a row instead of a table
    #[arg(long)]
    pub json: bool,
}

/// The far end of `perf rpc`, see `perf/rpc.rs`.
#[derive(Debug, Args)]
pub struct RpcPeerArgs {
    #[arg(long, value_enum)]
    pub transport: Transport,
    #[arg(long, value_enum)]
    pub runtime: Runtime,
    #[arg(long)]
    pub cpu: Option<usize>,
}

/// Lists are separated by commas; every combination is a row.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct PerfArgs {
    #[command(subcommand)]
    pub command: Option<PerfCommand>,
    /// What to measure; both, for a short while, if not given
    #[arg(value_enum)]
    pub test: Option<Test>,
    /// Patterns [default: push-pull for thr, req-rep for lat]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub pattern: Vec<Pattern>,
    /// Transports [default: tcp; the tour: all]
    #[arg(long, value_enum, value_delimiter = ',')]
    pub transport: Vec<Transport>,
    /// Payload sizes such as 64,1k,1M [default: 64,1k,64k for thr, 64 for lat]
    #[arg(long, value_parser = size, value_delimiter = ',')]
    pub size: Vec<usize>,
    /// ipc with or without shared memory [default: on; the tour: on,off]
    #[arg(long, value_enum, value_name = "ON|OFF", value_delimiter = ',')]
    pub shared_memory: Vec<Shared>,
    /// How long a waiting end looks at shared memory before it sleeps: auto, never, or a time such as 20us
    #[arg(long, value_parser = spin, value_name = "SPIN", value_delimiter = ',', default_value = "auto")]
    pub spin: Vec<Spin>,
    /// Whether large messages are read in the sender's shared memory, or copied on receipt
    #[arg(long, value_enum, value_delimiter = ',', default_value = "auto")]
    pub views: Vec<Views>,
    /// The sender writes its messages into loans of the socket's memory (thr); implies --touch
    #[arg(long)]
    pub loan: bool,
    /// The sender writes every byte of every message anew, and the receiver reads every byte, which is what makes large
    /// messages comparable: untouched ones cost next to nothing in shared memory
    #[arg(long)]
    pub touch: bool,
    /// The sender keeps to so many bytes of payload a second (thr): 50MB, 64KiB
    #[arg(long, value_name = "RATE", value_parser = rate)]
    pub rate: Option<u64>,
    /// Messages (lat: round trips) a row
    #[arg(long, value_name = "N", conflicts_with = "duration", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,
    /// Time a row [default: 2s; the tour: 600ms]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub duration: Option<Duration>,
    /// Two processes instead of two threads of one
    #[arg(long)]
    pub peer: bool,
    /// Who calls the sockets
    #[arg(long, value_enum, value_delimiter = ',', default_value = "current")]
    pub runtime: Vec<Runtime>,
    /// On which CPUs the two ends run
    #[arg(long, value_enum, default_value = "none")]
    pub pin: Pin,
    /// Print a JSON object a row instead of a table
    #[arg(long)]
    pub json: bool,
    /// No progress bar
    #[arg(short, long)]
    pub quiet: bool,
}

/// One row for the other process, see `perf/peer.rs`.
#[derive(Debug, Args)]
pub struct PeerArgs {
    #[arg(value_enum)]
    pub test: Test,
    #[arg(long)]
    pub endpoint: Endpoint,
    #[arg(long, value_enum)]
    pub pattern: Pattern,
    #[arg(long, value_enum)]
    pub runtime: Runtime,
    #[arg(long)]
    pub size: usize,
    #[arg(long)]
    pub count: Option<u64>,
    /// In microseconds.
    #[arg(long)]
    pub duration: Option<u64>,
    #[arg(long)]
    pub cpu: Option<usize>,
    #[arg(long, value_enum)]
    pub shared_memory: Shared,
    #[arg(long, value_parser = spin)]
    pub spin: Spin,
    #[arg(long, value_enum)]
    pub views: Views,
    #[arg(long)]
    pub loan: bool,
    #[arg(long)]
    pub touch: bool,
    /// In bytes a second.
    #[arg(long)]
    pub rate: Option<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
