//! The three commands by which two ends agree to use shared memory: their layouts, and what is refused in them.
//!
//! ```text
//!   X-SHM-HELLO    version u16, flags u16, page size u32, ring u64, pool u64, messages u64, bytes u64, ttl ms u64,
//!                  socket kind u8, 7 zero bytes
//!   X-SHM-SEGMENT  ring segment u64, pool u64, descriptors u32, zero u32
//!   X-SHM-RESULT   code u32 (0 accepted, else a reason), zero u32
//! ```
//! All integers are little-endian; sizes are in bytes. The upper half of the flags must be understood, the lower half
//! may be ignored. Invariant: a value that comes out of here was checked against our terms.

use super::refusal::UpgradeRefusal;
use crate::config::{SharedMemory, SocketKind};
use crate::zmtp::ProtocolError;
use crate::zmtp::wire::{Command, push_named};

pub(super) const HELLO: &str = "X-SHM-HELLO";
pub(super) const SEGMENT: &str = "X-SHM-SEGMENT";
pub(super) const RESULT: &str = "X-SHM-RESULT";

/// The version of the conversation and of all layouts in the memory.
const VERSION: u16 = 1;
const MUST_UNDERSTAND: u16 = 0xff00;

/// What one end says of itself before anything is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hello {
    pub(crate) page_size: u32,
    /// Of its ring, without what stands in front of it in the segment.
    pub(crate) ring_bytes: u64,
    /// As its options have it; 0 for none.
    pub(crate) pool_bytes: u64,
    /// Its watermarks for receiving; 0 for no limit.
    pub(crate) recv_hwm: u64,
    pub(crate) recv_hwm_bytes: u64,
    /// After how long a silence it wants to be given up, in milliseconds; 0 for never.
    pub(crate) ttl_ms: u64,
    /// The number of its kind of socket.
    pub(crate) kind: u8,
}

/// What we hold the peer's words against.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    /// Ours.
    pub(crate) hello: Hello,
    /// Bytes in front of the ring in a segment.
    pub(crate) segment_head: u64,
    /// The most memory to take.
    pub(crate) peer_bytes: u64,
    /// What the peer said it is in its READY.
    pub(crate) peer_kind: Option<SocketKind>,
}

/// What one end hands over; 0 bytes of pool are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizes {
    pub(super) segment: u64,
    pub(super) pool: u64,
}

impl Hello {
    pub(super) fn frame(&self) -> Vec<u8> {
        let mut body = Vec::with_capacity(56);
        body.extend_from_slice(&VERSION.to_le_bytes());
        body.extend_from_slice(&0_u16.to_le_bytes());
        body.extend_from_slice(&self.page_size.to_le_bytes());
        let numbers = [
            self.ring_bytes,
            self.pool_bytes,
            self.recv_hwm,
            self.recv_hwm_bytes,
            self.ttl_ms,
            u64::from(self.kind),
        ];
        for number in numbers {
            body.extend_from_slice(&number.to_le_bytes());
        }
        frame(HELLO, &body)
    }

    /// The peer's, if it suits ours.
    pub(super) fn read(body: &[u8], terms: &Terms) -> Result<Hello, UpgradeRefusal> {
        let mut fields = Fields(body);
        let version = u16::from_le_bytes(fields.next());
        if body.len() >= 2 && version != VERSION {
            return Err(UpgradeRefusal::Version { theirs: version });
        }
        check_length(HELLO, body, 56)?;
        let unknown = u16::from_le_bytes(fields.next()) & MUST_UNDERSTAND;
        if unknown != 0 {
            return Err(UpgradeRefusal::Features { unknown });
        }
        let hello = Hello {
            page_size: u32::from_le_bytes(fields.next()),
            ring_bytes: u64::from_le_bytes(fields.next()),
            pool_bytes: u64::from_le_bytes(fields.next()),
            recv_hwm: u64::from_le_bytes(fields.next()),
            recv_hwm_bytes: u64::from_le_bytes(fields.next()),
            ttl_ms: u64::from_le_bytes(fields.next()),
            kind: u8::from_le_bytes(fields.next()),
        };
        if fields.next::<7>() != [0; 7] {
            return Err(senseless("bytes that must be zero are not"));
        }
        hello.check(terms)?;
        Ok(hello)
    }

    fn check(&self, terms: &Terms) -> Result<(), UpgradeRefusal> {
        if self.page_size != terms.hello.page_size {
            let theirs = self.page_size;
            return Err(UpgradeRefusal::PageSize { theirs });
        }
        let rings = SharedMemory::RING_MIN as u64..=SharedMemory::RING_MAX as u64;
        if !self.ring_bytes.is_power_of_two() || !rings.contains(&self.ring_bytes) {
            let text = format!("a ring of {} bytes", self.ring_bytes);
            return Err(UpgradeRefusal::BadParameter(text));
        }
        let segment = terms.segment_head + self.ring_bytes;
        check_total(segment, self.pool_bytes, terms)?;
        let kind = SocketKind::from_number(self.kind);
        if kind.is_none() || (terms.peer_kind.is_some() && kind != terms.peer_kind) {
            return Err(senseless("another kind of socket than it said before"));
        }
        Ok(())
    }
}

impl Sizes {
    /// How many descriptors come with them.
    pub(super) fn descriptors(self) -> usize {
        if self.pool == 0 { 1 } else { 2 }
    }

    pub(super) fn frame(self) -> Vec<u8> {
        let mut body = Vec::with_capacity(24);
        body.extend_from_slice(&self.segment.to_le_bytes());
        body.extend_from_slice(&self.pool.to_le_bytes());
        let count = self.descriptors() as u64;
        body.extend_from_slice(&count.to_le_bytes());
        frame(SEGMENT, &body)
    }

    /// The peer's, if they are what its HELLO let us expect. Not checked: what was handed over.
    pub(super) fn read(body: &[u8], hello: &Hello, terms: &Terms) -> Result<Self, UpgradeRefusal> {
        check_length(SEGMENT, body, 24)?;
        let mut fields = Fields(body);
        let sizes = Sizes {
            segment: u64::from_le_bytes(fields.next()),
            pool: u64::from_le_bytes(fields.next()),
        };
        let descriptors = u32::from_le_bytes(fields.next());
        if fields.next::<4>() != [0; 4] {
            return Err(senseless("bytes that must be zero are not"));
        }
        let expected = terms.segment_head + hello.ring_bytes;
        if sizes.segment != expected {
            let text = format!("a segment of {} bytes, not {expected}", sizes.segment);
            return Err(UpgradeRefusal::BadParameter(text));
        }
        if !sizes.pool.is_multiple_of(u64::from(terms.hello.page_size)) {
            let text = format!("a pool of {} bytes", sizes.pool);
            return Err(UpgradeRefusal::BadParameter(text));
        }
        check_total(sizes.segment, sizes.pool, terms)?;
        if u64::from(descriptors) != sizes.descriptors() as u64 {
            let text = format!("{descriptors} descriptors for {}", sizes.descriptors());
            return Err(UpgradeRefusal::BadParameter(text));
        }
        Ok(sizes)
    }
}

pub(super) fn result_frame(code: u32) -> Vec<u8> {
    frame(RESULT, &u64::from(code).to_le_bytes())
}

/// The code of a RESULT.
pub(super) fn read_result(data: &[u8]) -> Result<u32, ProtocolError> {
    let command = RESULT;
    match data {
        [a, b, c, d, _, _, _, _] => Ok(u32::from_le_bytes([*a, *b, *c, *d])),
        [_, _, _, _, _, _, _, _, rest @ ..] => Err(ProtocolError::TrailingBytes {
            command,
            count: rest.len(),
        }),
        _ => Err(ProtocolError::TruncatedCommand { command }),
    }
}

/// Whether a command has this name.
pub(super) fn is(command: &Command<'_>, name: &str) -> bool {
    command.name == name.as_bytes()
}

fn frame(name: &str, body: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(2 + 1 + name.len() + body.len());
    push_named(name, body, &mut frame);
    frame
}

fn senseless(what: &str) -> UpgradeRefusal {
    UpgradeRefusal::BadParameter(what.to_owned())
}

fn check_length(name: &str, body: &[u8], expected: usize) -> Result<(), UpgradeRefusal> {
    if body.len() == expected {
        return Ok(());
    }
    let text = format!("{name} with {} bytes, not {expected}", body.len());
    Err(UpgradeRefusal::BadParameter(text))
}

fn check_total(segment: u64, pool: u64, terms: &Terms) -> Result<(), UpgradeRefusal> {
    let (size, limit) = (segment.saturating_add(pool), terms.peer_bytes);
    if size > limit {
        return Err(UpgradeRefusal::TooLarge { size, limit });
    }
    Ok(())
}

/// Fields one after the other. Past the end all is zero: lengths are checked by those who read.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn next<const N: usize>(&mut self) -> [u8; N] {
        match self.0.split_first_chunk::<N>() {
            Some((field, rest)) => {
                self.0 = rest;
                *field
            }
            None => [0; N],
        }
    }
}
