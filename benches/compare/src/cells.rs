//! The grid of what is measured: one cell is one shape over one transport at one size and placement.
//!
//! What it is not: who takes part (`peers/`; each says which cells it lacks) or how it is run (`run.rs`). A cell is
//! plain data; its id, as in `tcp/push-pull/64/unpinned`, is what command lines and files call it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How the messages cross.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Transport {
    /// From thread to thread, or from task to task, of one process.
    Inproc,
    /// From process to process on one machine: `ipc://`, or whatever a peer has that is faster.
    Ipc,
    /// From process to process through a loopback connection.
    Tcp,
}

/// What happens in a cell. The near end takes the time; the far ends are on the right of each arrow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Shape {
    /// PUSH -> PULL, one way, as fast as both ends can.
    Stream,
    /// REQ -> REP and back, one at a time. Peers without it use two one-way channels.
    RoundTrip,
    /// DEALER -> ROUTER and back, one at a time. Peers without it use two one-way channels.
    Routed,
    /// DEALER -> ROUTER and back, [`IN_FLIGHT`] at a time.
    InFlight,
    /// PUB -> this many SUB, each gets everything, nothing is dropped.
    Publish(usize),
    /// PULL <- this many PUSH.
    FanIn(usize),
    /// PUSH -> this many PULL, each message to one of them.
    FanOut(usize),
}

/// Questions under way in [`Shape::InFlight`].
pub const IN_FLIGHT: usize = 64;

/// What the loops of `drive/` need to know of a shape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Course {
    /// The near end sends, each far end receives everything in order.
    Out,
    /// The near end sends, each message goes to one far end.
    Share,
    /// The far ends send, the near end receives.
    Gather,
    /// The near end asks, so many at a time, and the far end answers in order.
    Ask(usize),
}

/// Where the ends may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Placement {
    /// Wherever the system puts them.
    Free,
    /// The near process on CPU 0, the far process on CPU 1.
    Split,
    /// Everything on CPU 0.
    Same,
    /// Both ends are tasks of one current-thread runtime.
    OneThread,
}

/// One row of figures for everybody who takes part.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Cell {
    pub transport: Transport,
    pub shape: Shape,
    pub placement: Placement,
    /// Bytes of a message.
    pub size: usize,
}

pub const SIZES: [usize; 7] = [16, 64, 256, 1 << 10, 8 << 10, 64 << 10, 1 << 20];

/// What may wait on the way to one far end, in bytes; see [`Cell::window`].
const WINDOW_BYTES: usize = 16 << 20;

impl Cell {
    /// The watermark of every peer in this cell, in messages for each far end: the usual 1000, or what fits in 16 MiB,
    /// or in 128 MiB for all far ends together; never less than what is asked at a time.
    pub fn window(&self) -> usize {
        let bytes = WINDOW_BYTES.min((8 * WINDOW_BYTES) / self.far_ends());
        let least = match self.course() {
            Course::Ask(in_flight) => 2 * in_flight,
            Course::Out | Course::Share | Course::Gather => 4,
        };
        (bytes / self.size).clamp(least.max(4), 1000)
    }

    /// How many far ends there are.
    pub fn far_ends(&self) -> usize {
        match self.shape {
            Shape::Publish(ends) | Shape::FanIn(ends) | Shape::FanOut(ends) => ends,
            Shape::Stream | Shape::RoundTrip | Shape::Routed | Shape::InFlight => 1,
        }
    }

    pub fn course(&self) -> Course {
        match self.shape {
            Shape::Stream | Shape::Publish(_) => Course::Out,
            Shape::FanOut(_) => Course::Share,
            Shape::FanIn(_) => Course::Gather,
            Shape::RoundTrip | Shape::Routed => Course::Ask(1),
            Shape::InFlight => Course::Ask(IN_FLIGHT),
        }
    }

    /// Whether the time of each message is taken.
    pub fn asks(&self) -> bool {
        matches!(self.course(), Course::Ask(_))
    }

    /// Whether the figure to compare is the time of a round trip, not a rate.
    pub fn is_latency(&self) -> bool {
        self.course() == Course::Ask(1)
    }

    pub fn id(&self) -> String {
        let Cell {
            transport,
            shape,
            placement,
            size,
        } = self;
        format!("{transport}/{shape}/{size}/{placement}")
    }

    /// Whether `--quick` has it.
    pub fn is_headline(&self) -> bool {
        if !matches!(self.placement, Placement::Free) {
            return false;
        }
        match self.shape {
            Shape::Stream => self.size == 64 || self.size == 64 << 10,
            Shape::RoundTrip | Shape::InFlight | Shape::Publish(8) => self.size == 64,
            _ => false,
        }
    }

    /// Whether a run without `--all` has it: everything at 64 bytes, streams and publishing at all sizes.
    pub fn is_usual(&self) -> bool {
        match self.shape {
            Shape::Stream => self.placement == Placement::Free || self.size == 64,
            Shape::Publish(64) => matches!(self.size, 64 | 8192),
            Shape::Publish(_) => true,
            _ => self.size == 64,
        }
    }
}

/// A number of bytes as people say it.
pub fn size_name(size: usize) -> String {
    match size {
        size if size >= 1 << 20 => format!("{} MiB", size >> 20),
        size if size >= 1 << 10 => format!("{} KiB", size >> 10),
        size => format!("{size} B"),
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let size = size_name(self.size);
        write!(f, "{} {} {size}", self.transport, self.shape.words())?;
        match self.placement {
            Placement::Free => Ok(()),
            placement => write!(f, ", {}", placement.words()),
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Inproc => "inproc",
            Transport::Ipc => "ipc",
            Transport::Tcp => "tcp",
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Placement::Free => "unpinned",
            Placement::Split => "split",
            Placement::Same => "same",
            Placement::OneThread => "one-thread",
        })
    }
}

impl Placement {
    pub fn words(self) -> &'static str {
        match self {
            Placement::Free => "unpinned",
            Placement::Split => "split over CPUs 0 and 1",
            Placement::Same => "all on one CPU",
            Placement::OneThread => "tasks of one thread",
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Stream => f.write_str("push-pull"),
            Shape::RoundTrip => f.write_str("req-rep"),
            Shape::Routed => f.write_str("dealer-router"),
            Shape::InFlight => write!(f, "dealer-router-{IN_FLIGHT}"),
            Shape::Publish(ends) => write!(f, "pub-sub-{ends}"),
            Shape::FanIn(ends) => write!(f, "fan-in-{ends}"),
            Shape::FanOut(ends) => write!(f, "fan-out-{ends}"),
        }
    }
}

impl Shape {
    pub fn words(self) -> String {
        match self {
            Shape::Stream => "PUSH/PULL".to_owned(),
            Shape::RoundTrip => "REQ/REP".to_owned(),
            Shape::Routed => "DEALER/ROUTER".to_owned(),
            Shape::InFlight => format!("DEALER/ROUTER {IN_FLIGHT} in flight"),
            Shape::Publish(ends) => format!("PUB to {ends} SUB"),
            Shape::FanIn(ends) => format!("{ends} PUSH to 1 PULL"),
            Shape::FanOut(ends) => format!("1 PUSH to {ends} PULL"),
        }
    }
}

/// The placements of a shape over a transport, with the sizes at which they are measured.
fn placements(transport: Transport, shape: Shape) -> Vec<(Placement, &'static [usize])> {
    let inproc = transport == Transport::Inproc;
    let mut placements: Vec<(Placement, &[usize])> = vec![(Placement::Free, &SIZES)];
    match shape {
        Shape::RoundTrip | Shape::Routed => {
            placements.push((Placement::Same, &SIZES));
            let third = if inproc {
                Placement::OneThread
            } else {
                Placement::Split
            };
            placements.push((third, &SIZES));
        }
        Shape::Stream if inproc => placements.push((Placement::OneThread, &SIZES)),
        Shape::Stream => placements.push((Placement::Split, &[64])),
        _ => {}
    }
    placements
}

/// Everything that can be measured, in the order of the report.
pub fn all() -> Vec<Cell> {
    let shapes = [
        Shape::Stream,
        Shape::RoundTrip,
        Shape::Routed,
        Shape::InFlight,
        Shape::Publish(1),
        Shape::Publish(8),
        Shape::Publish(64),
        Shape::FanIn(8),
        Shape::FanOut(8),
    ];
    let mut cells = Vec::new();
    for transport in [Transport::Inproc, Transport::Ipc, Transport::Tcp] {
        for shape in shapes {
            for (placement, sizes) in placements(transport, shape) {
                cells.extend(sizes.iter().map(|size| Cell {
                    transport,
                    shape,
                    placement,
                    size: *size,
                }));
            }
        }
    }
    // What shared memory is for.
    let large = [
        (Shape::Stream, 8 << 20),
        (Shape::Publish(2), 1 << 20),
        (Shape::Publish(4), 1 << 20),
    ];
    cells.extend(large.map(|(shape, size)| Cell {
        transport: Transport::Ipc,
        shape,
        placement: Placement::Free,
        size,
    }));
    cells
}

/// The cell with this id.
pub fn find(id: &str) -> Option<Cell> {
    all().into_iter().find(|cell| cell.id() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_is_found_by_its_id() {
        for cell in all() {
            assert_eq!(find(&cell.id()), Some(cell));
        }
    }

    #[test]
    fn no_cell_is_there_twice() {
        let mut ids: Vec<String> = all().iter().map(Cell::id).collect();
        let count = ids.len();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }

    #[test]
    fn a_window_holds_what_is_asked_at_a_time() {
        for cell in all() {
            if let Course::Ask(in_flight) = cell.course() {
                assert!(cell.window() > in_flight);
            }
        }
    }
}
