//! Who takes part. A peer is one way to use one library: a variant with other calls or other waiting is another peer.
//!
//! Each is written as its users would at its best, with the same guarantees: nothing is dropped, order is kept, at
//! most [`Cell::window`] messages wait at each far end, the sender writes every byte of every message and the receiver
//! reads it. **To add one**: a file with a type that implements [`Threaded`](crate::drive::Threaded) (blocking calls)
//! or [`Tasked`](crate::drive::Tasked) (async calls) and its end, and a line in [`all`].

mod channels;
mod credit;
mod files;
mod iceoryx;
mod monocoque;
#[cfg(feature = "nng")]
mod nng;
mod omq;
mod omq_exclusive;
mod raw;
mod ring;
mod rzmq;
mod taipan;
#[cfg(feature = "zenoh")]
mod zenoh;
mod zmq;
mod zmq_rs;

use serde::{Deserialize, Serialize};

use self::taipan::Manner;
use crate::Outcome;
use crate::cells::{Cell, Shape};
use crate::control::Post;
use crate::drive::{Tasked, Tasks, Threaded, Threads};
use crate::job::Job;
use crate::meter::Sample;
use channels::{Crossbeam, Flume, Kanal, KanalAsync, Rtrb, TokioMpsc, WiredTasks, WiredThreads};

/// What part a peer has in the comparison.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Part {
    /// taipan itself.
    Ours,
    /// A library that taipan is compared with.
    Other,
    /// What no library could be faster than.
    Bound,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct About {
    /// What command lines and files call it.
    pub id: String,
    /// Library and version.
    pub version: String,
    /// How it is called and how it waits, in a few words.
    pub manner: String,
    pub part: Part,
    /// Whether `--quick` has it.
    pub quick: bool,
}

/// What `run.rs` sees of a peer.
pub trait Peer: Send + Sync {
    fn about(&self) -> About;

    /// Why it has no figures in this cell, if so.
    fn lacks(&self, cell: &Cell) -> Option<&'static str>;

    /// The near side of a run: opens its end, launches the far ends, and measures.
    fn near(&'static self, job: &Job) -> Outcome<Sample>;

    /// Starts all far ends of a run; they go on when this returns.
    fn far(&'static self, job: &Job, posts: Vec<Post>);

    /// Removes what processes that exited without closing may have left behind.
    fn clean(&self, _run: u32) {}
}

/// Everybody, in the order of the report.
pub fn all() -> Vec<Box<dyn Peer>> {
    let taipan = taipan::Taipan::new;
    let mut peers = vec![threads(taipan(Manner::Owned))];
    if cfg!(feature = "loan") {
        peers.push(threads(taipan(Manner::Loaned)));
    }
    peers.push(tasks(taipan(Manner::CurrentThread)));
    peers.push(workers(taipan(Manner::Workers)));
    peers.push(threads(zmq::Libzmq::default()));
    peers.extend(omq::WAYS.map(|way| threads(omq::Omq::new(way))));
    peers.push(tasks(omq::OmqTasks::default()));
    peers.push(tasks(omq_exclusive::Exclusive));
    peers.extend([false, true].map(|flushes| tasks(monocoque::Monocoque { flushes })));
    peers.push(tasks(zmq_rs::ZmqRs { workers: false }));
    peers.push(workers(zmq_rs::ZmqRs { workers: true }));
    peers.push(tasks(rzmq::Rzmq::new(false)));
    peers.push(workers(rzmq::Rzmq::new(true)));
    #[cfg(feature = "nng")]
    peers.push(threads(nng::Nng));
    #[cfg(feature = "zenoh")]
    peers.push(threads(zenoh::Zenoh::default()));
    peers.push(threads(iceoryx::Iceoryx));
    peers.push(threads(WiredThreads::<Crossbeam>::default()));
    peers.push(threads(WiredThreads::<Kanal>::default()));
    peers.push(threads(WiredThreads::<Flume>::default()));
    peers.push(tasks(WiredTasks::<TokioMpsc>::new(false)));
    peers.push(workers(WiredTasks::<TokioMpsc>::new(true)));
    peers.push(tasks(WiredTasks::<KanalAsync>::new(false)));
    peers.push(threads(WiredThreads::<Rtrb>::default()));
    peers.push(threads(raw::Raw));
    peers.push(threads(ring::BareRing));
    peers
}

/// Called in threads.
fn threads(peer: impl Threaded) -> Box<dyn Peer> {
    Box::new(Threads(peer))
}

/// Called in tasks of a current-thread runtime.
fn tasks(peer: impl Tasked) -> Box<dyn Peer> {
    Box::new(Tasks::on_current_thread(peer))
}

/// Called in tasks of a runtime with two workers.
fn workers(peer: impl Tasked) -> Box<dyn Peer> {
    Box::new(Tasks::on_workers(peer))
}

/// The peer with this id, for as long as this process lives.
pub fn find(id: &str) -> Outcome<&'static dyn Peer> {
    let peer = all().into_iter().find(|peer| peer.about().id == id);
    let peer = peer.ok_or_else(|| format!("no peer {id:?}"))?;
    Ok(Box::leak(peer))
}

/// The kinds of sockets of the near end and of the far ends, from a library's names for PUSH, PULL, REQ, REP, DEALER,
/// ROUTER, PUB and SUB.
fn kinds<K>(shape: Shape, names: [K; 8]) -> (K, K) {
    let [push, pull, req, rep, dealer, router, publish, subscribe] = names;
    match shape {
        Shape::Stream | Shape::FanOut(_) => (push, pull),
        Shape::FanIn(_) => (pull, push),
        Shape::RoundTrip => (req, rep),
        Shape::Routed | Shape::InFlight => (dealer, router),
        Shape::Publish(_) => (publish, subscribe),
    }
}

/// The version of a package that this program was built with.
pub fn locked(package: &str) -> String {
    let name = format!("name = \"{package}\"\nversion = \"");
    // If others need an older one, ours is the last.
    let version = include_str!("../../Cargo.lock").rsplit_once(&name);
    let version = version.and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("?").to_owned()
}
