//! Who takes part. A peer is one way to use one library: a variant with other calls or other waiting is another peer.
//!
//! Each is written as its users would at its best, with the same guarantees: nothing is dropped, order is kept, at
//! most [`Cell::window`] messages wait, the sender writes every byte of every message and the receiver reads it.

mod iceoryx;
mod omq;
mod ring;
mod taipan;
mod taipan_async;
mod zmq;

use crate::Outcome;
use crate::cells::Cell;
use crate::job::Job;
use crate::meter::Sample;

pub trait Peer: Sync {
    /// What command lines and files call it.
    fn id(&self) -> &'static str;

    /// Library and version.
    fn version(&self) -> String;

    /// How it is called and how it waits, in a few words.
    fn manner(&self) -> &'static str;

    /// Why it has no figures in this cell, if so.
    fn lacks(&self, cell: &Cell) -> Option<&'static str>;

    /// The near end: opens its sockets, launches the far ends (in the order it needs), sends, and measures.
    fn near(&self, job: &Job) -> Outcome<Sample>;

    /// A far end, in a process of its own.
    fn far(&self, job: &Job) -> Outcome<()>;

    /// Removes what its processes may have left behind; called by the orchestrator when all are gone.
    fn clean(&self, _run: u32) {}
}

/// Everybody, in the order of the report. The first is what the others are compared with.
pub fn all() -> Vec<Box<dyn Peer>> {
    let mut peers: Vec<Box<dyn Peer>> = vec![Box::new(zmq::Libzmq), Box::new(taipan::Blocking)];
    if cfg!(feature = "loan") {
        peers.push(Box::new(taipan::Loaned));
    }
    peers.push(Box::new(taipan_async::CurrentThread));
    peers.extend(omq::WAYS.iter().map(|way| Box::new(*way) as Box<dyn Peer>));
    peers.push(Box::new(iceoryx::Iceoryx));
    peers.push(Box::new(ring::BareRing));
    peers
}

/// The peer with this id.
pub fn find(id: &str) -> Outcome<Box<dyn Peer>> {
    let peer = all().into_iter().find(|peer| peer.id() == id);
    peer.ok_or_else(|| format!("no peer {id:?}").into())
}

/// The version of a package that this program was built with.
fn locked(package: &str) -> String {
    let name = format!("name = \"{package}\"\nversion = \"");
    let version = include_str!("../../Cargo.lock").split_once(&name);
    let version = version.and_then(|(_, rest)| rest.split('"').next());
    version.unwrap_or("?").to_owned()
}
