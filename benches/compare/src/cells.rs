//! The table of what is measured: one cell is one shape over one transport at one size and placement.
//!
//! What it is not: who takes part (`peers/`; each says which cells it lacks) or how it is run (`run.rs`). To add
//! inproc or tcp: a variant of [`Transport`], cells with it, and what the peers make of it in their `lacks`.

use std::fmt;

/// How the messages cross.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Transport {
    /// From process to process on one machine: `ipc://`, or whatever a peer has that is faster.
    Ipc,
}

/// What happens in a cell.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// PUSH to PULL, one way, as fast as both ends can.
    Stream,
    /// REQ to REP and back, one at a time. Peers without it use two one-way channels.
    RoundTrip,
    /// PUB to this many subscribers, each a process, nothing dropped.
    FanOut(usize),
}

/// Where the two ends may run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placement {
    /// Wherever the system puts them.
    Free,
    /// The near end (sends, asks) on CPU 0, the far end on CPU 1.
    Split,
    /// Both on CPU 0.
    Same,
}

/// One row of figures for everybody who takes part.
#[derive(Debug)]
pub struct Cell {
    pub id: &'static str,
    pub name: &'static str,
    pub transport: Transport,
    pub shape: Shape,
    pub placement: Placement,
    /// Bytes of a message.
    pub size: usize,
    /// Messages or round trips that are counted, after a warm-up.
    pub count: usize,
    /// Whether `--quick` has it.
    pub quick: bool,
}

/// What may wait on the way, in bytes; see [`Cell::window`].
const WINDOW_BYTES: usize = 16 << 20;

impl Cell {
    /// The watermark of every peer in this cell, in messages: the usual 1000, or what fits in 16 MiB.
    pub fn window(&self) -> usize {
        (WINDOW_BYTES / self.size).clamp(4, 1000)
    }

    /// How many processes are at the far end.
    pub fn far_ends(&self) -> usize {
        match self.shape {
            Shape::FanOut(subscribers) => subscribers,
            Shape::Stream | Shape::RoundTrip => 1,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Transport::Ipc => "ipc",
        })
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Placement::Free => "unpinned",
            Placement::Split => "split: near end on CPU 0, far end on CPU 1",
            Placement::Same => "both ends on CPU 0",
        })
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Stream => f.write_str("push-pull"),
            Shape::RoundTrip => f.write_str("req-rep"),
            Shape::FanOut(subscribers) => write!(f, "pub-sub 1:{subscribers}"),
        }
    }
}

const fn stream(
    id: &'static str,
    name: &'static str,
    size: usize,
    count: usize,
    quick: bool,
) -> Cell {
    Cell {
        id,
        name,
        transport: Transport::Ipc,
        shape: Shape::Stream,
        placement: Placement::Free,
        size,
        count,
        quick,
    }
}

const fn round_trip(
    id: &'static str,
    name: &'static str,
    placement: Placement,
    quick: bool,
) -> Cell {
    Cell {
        id,
        name,
        transport: Transport::Ipc,
        shape: Shape::RoundTrip,
        placement,
        size: 64,
        count: 20_000,
        quick,
    }
}

const fn fan_out(
    id: &'static str,
    name: &'static str,
    subscribers: usize,
    count: usize,
    quick: bool,
) -> Cell {
    Cell {
        id,
        name,
        transport: Transport::Ipc,
        shape: Shape::FanOut(subscribers),
        placement: Placement::Free,
        size: 1 << 20,
        count,
        quick,
    }
}

/// Everything that is measured, in the order of the report.
pub const CELLS: &[Cell] = &[
    stream("ipc-stream-64", "ipc PUSH/PULL 64 B", 64, 4_000_000, true),
    stream(
        "ipc-stream-1k",
        "ipc PUSH/PULL 1 KiB",
        1 << 10,
        1_000_000,
        false,
    ),
    stream(
        "ipc-stream-64k",
        "ipc PUSH/PULL 64 KiB",
        64 << 10,
        60_000,
        true,
    ),
    stream("ipc-stream-8m", "ipc PUSH/PULL 8 MiB", 8 << 20, 400, true),
    round_trip(
        "ipc-rtt-free",
        "ipc REQ/REP 64 B, unpinned",
        Placement::Free,
        true,
    ),
    round_trip(
        "ipc-rtt-split",
        "ipc REQ/REP 64 B, split",
        Placement::Split,
        false,
    ),
    round_trip(
        "ipc-rtt-same",
        "ipc REQ/REP 64 B, one core",
        Placement::Same,
        false,
    ),
    fan_out("ipc-fan-1", "ipc PUB to 1 SUB, 1 MiB", 1, 1500, false),
    fan_out("ipc-fan-2", "ipc PUB to 2 SUB, 1 MiB", 2, 1000, false),
    fan_out("ipc-fan-4", "ipc PUB to 4 SUB, 1 MiB", 4, 800, true),
    fan_out("ipc-fan-8", "ipc PUB to 8 SUB, 1 MiB", 8, 400, false),
];

/// The cell with this id.
pub fn find(id: &str) -> Option<&'static Cell> {
    CELLS.iter().find(|cell| cell.id == id)
}
