//! How two ends of a Unix socket agree to use shared memory: the conversation, as a pure state machine.
//!
//! Runs after the ZMTP handshake and before any traffic, if both ends announced it there. No I/O here: bytes and
//! descriptors come in, bytes go out, and who drives it (`drive.rs`) is told what to do next ([`Step`]).
//!
//! ```text
//!   HELLO      -->   parameters, no descriptors. Who has seen the peer's knows that the peer looks for
//!   HELLO      <--   descriptors from now on; plain recv() would have lost them.
//!   SEGMENT    -->   our memory, by one or two descriptors on the frame's first byte; or a RESULT at once
//!   SEGMENT    <--
//!   RESULT     -->   0: adopted. The link changes over if both say so, else it goes on as a ZMTP stream.
//!   RESULT     <--   Nothing follows before both were sent and received.
//! ```
//! Invariants:
//! - descriptors that do not come with the first bytes of a SEGMENT are dropped, which closes them;
//! - each side sends one HELLO, at most one SEGMENT and one RESULT, and reads the same, whatever is refused: so
//!   both know where the traffic begins;
//! - what is buffered is bounded by [`MAX_COMMAND`] and the caller's last read;
//! - after an error every further input gives the same error.

use std::collections::VecDeque;

use super::refusal::UpgradeRefusal;
use super::wire::{self, Hello, Sizes, Terms};
use crate::zmtp::ProtocolError;
use crate::zmtp::wire::{Command, FrameHeader, LONG, MAX_HEADER};

/// Largest command of the conversation in bytes: what a later version may add.
const MAX_COMMAND: u64 = 1024;

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Write the [`Upgrade::output`], with our descriptors if it says so.
    Write,
    /// Make our memory, then say [`Upgrade::made`] or [`Upgrade::refuse`].
    Make,
    /// Take the peer's memory by [`Upgrade::take_offer`], then say [`Upgrade::adopted`] or [`Upgrade::refuse`].
    Adopt,
    /// Read at most [`Upgrade::wants`] bytes.
    Read,
    /// It is over, see [`Upgrade::outcome`].
    Over,
}

/// What came over the socket by one read.
#[derive(Debug)]
pub(crate) struct Arrived<'a, F> {
    pub(crate) bytes: &'a [u8],
    pub(crate) descriptors: Vec<F>,
    /// There were more descriptors, which the system has closed.
    pub(crate) cut: bool,
}

/// The peer's memory as it came, sizes as announced.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Offer<F> {
    pub(crate) segment: (F, u64),
    pub(crate) pool: Option<(F, u64)>,
}

/// One side of the conversation; `F` is what a descriptor is.
pub(crate) struct Upgrade<F> {
    terms: Terms,
    inbox: Vec<u8>,
    due: Due,
    hello: Option<Hello>,
    /// What came with the first bytes of the SEGMENT that is due.
    attached: Option<(Vec<F>, bool)>,
    offer: Option<Offer<F>>,
    /// Whether our memory was made.
    made: bool,
    ours: Option<Result<(), UpgradeRefusal>>,
    theirs: Option<u32>,
    failed: Option<ProtocolError>,
    outbox: VecDeque<Outgoing>,
}

/// The peer's next command.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Due {
    Hello,
    Segment,
    Result,
    Nothing,
}

/// A frame to be written; what is written is taken off its front.
struct Outgoing {
    bytes: Vec<u8>,
    with_descriptors: bool,
}

impl<F> Upgrade<F> {
    /// A side that has its HELLO ready.
    pub(crate) fn new(terms: Terms) -> Self {
        let mut upgrade = Upgrade {
            inbox: Vec::new(),
            due: Due::Hello,
            hello: None,
            attached: None,
            offer: None,
            made: false,
            ours: None,
            theirs: None,
            failed: None,
            outbox: VecDeque::new(),
            terms,
        };
        upgrade.push(upgrade.terms.hello.frame(), false);
        upgrade
    }

    /// What is to be done next.
    pub(crate) fn step(&self) -> Step {
        if !self.outbox.is_empty() {
            return Step::Write;
        }
        match (&self.ours, self.due) {
            (_, Due::Hello) => Step::Read,
            (None, _) if !self.made => Step::Make,
            (None, _) if self.offer.is_some() => Step::Adopt,
            (_, Due::Nothing) => Step::Over,
            _ => Step::Read,
        }
    }

    /// Bytes to be written next, and whether our descriptors go with the first of them.
    pub(crate) fn output(&self) -> Option<(&[u8], bool)> {
        let first = self.outbox.front()?;
        Some((&first.bytes, first.with_descriptors))
    }

    /// Says that the first `count` bytes of the output were written.
    pub(crate) fn consume_output(&mut self, count: usize) {
        if let Some(first) = self.outbox.front_mut() {
            first.bytes.drain(..count.min(first.bytes.len()));
            first.with_descriptors &= count == 0;
            if first.bytes.is_empty() {
                self.outbox.pop_front();
            }
        }
    }

    /// How many bytes can be read without reading past the next command: the traffic behind the last one is read
    /// by others.
    pub(crate) fn wants(&self) -> usize {
        if self.due == Due::Nothing || self.failed.is_some() {
            return 0;
        }
        let header = match self.inbox.first() {
            Some(flags) if flags & LONG != 0 => MAX_HEADER,
            _ => 2,
        };
        let whole = match FrameHeader::parse(&self.inbox) {
            // Sizes beyond the limit were refused when the header came.
            Ok(Some(found)) => found.len + found.size.min(MAX_COMMAND) as usize,
            _ => header,
        };
        whole.saturating_sub(self.inbox.len())
    }

    /// Takes what the peer sent.
    ///
    /// # Errors
    /// The peer broke the protocol; the connection is of no further use.
    pub(crate) fn input(&mut self, arrived: Arrived<'_, F>) -> Result<(), ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let fresh = self.inbox.len();
        self.inbox.extend_from_slice(arrived.bytes);
        let inbox = std::mem::take(&mut self.inbox);
        let result = self.read(&inbox, fresh, (arrived.descriptors, arrived.cut));
        match result {
            Ok(taken) => {
                self.inbox = inbox;
                self.inbox.drain(..taken);
                Ok(())
            }
            Err(error) => {
                (self.attached, self.offer) = (None, None);
                self.failed = Some(error.clone());
                Err(error)
            }
        }
    }

    /// Our memory is made and its descriptors are at hand.
    pub(crate) fn made(&mut self, segment: u64, pool: u64) {
        if self.ours.is_none() && !self.made {
            self.made = true;
            self.push(Sizes { segment, pool }.frame(), true);
        }
    }

    /// The peer's memory, to be adopted; once.
    pub(crate) fn take_offer(&mut self) -> Option<Offer<F>> {
        self.offer.take()
    }

    /// The peer's memory was adopted.
    pub(crate) fn adopted(&mut self) {
        self.settle(Ok(()));
    }

    /// The link shall stay what it is. Counts once, and not after [`Upgrade::adopted`]. A SEGMENT of which nothing
    /// was written yet is not sent any more.
    pub(crate) fn refuse(&mut self, refusal: UpgradeRefusal) {
        if self.ours.is_none() {
            self.outbox.retain(|frame| !frame.with_descriptors);
        }
        self.settle(Err(refusal));
    }

    /// Whether shared memory is agreed on, and if not why; `None` before [`Step::Over`].
    pub(crate) fn outcome(&self) -> Option<Result<(), UpgradeRefusal>> {
        match (self.ours.as_ref()?, self.theirs?) {
            _ if !self.outbox.is_empty() => None,
            (Ok(()), 0) => Some(Ok(())),
            (Ok(()), code) => Some(Err(UpgradeRefusal::PeerRefused(code))),
            (Err(refusal), _) => Some(Err(refusal.clone())),
        }
    }

    /// The peer's parameters, once they came and suit ours.
    pub(crate) fn peer(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// Bytes that came behind the peer's RESULT: the start of its traffic.
    pub(crate) fn into_leftover(self) -> Vec<u8> {
        self.inbox
    }

    /// Reads as many commands as there are. `fresh` is where this read's bytes begin in `inbox`. Returns how many
    /// bytes the commands had.
    fn read(
        &mut self,
        inbox: &[u8],
        fresh: usize,
        came: (Vec<F>, bool),
    ) -> Result<usize, ProtocolError> {
        let mut came = Some(came);
        let mut at = 0;
        while self.due != Due::Nothing {
            let first_byte_is_fresh = at >= fresh && at < inbox.len();
            if self.due == Due::Segment && first_byte_is_fresh {
                self.attached = came.take();
            }
            let Some((command, len)) = command_at(&inbox[at..])? else {
                break;
            };
            match self.due {
                Due::Hello => self.on_hello(&command)?,
                Due::Segment => self.on_segment(&command)?,
                _ => self.on_result(&command)?,
            }
            at += len;
        }
        Ok(at)
    }

    fn on_hello(&mut self, command: &Command<'_>) -> Result<(), ProtocolError> {
        if !wire::is(command, wire::HELLO) {
            return Err(command.unexpected(wire::HELLO));
        }
        match Hello::read(command.data, &self.terms) {
            Ok(hello) => self.hello = Some(hello),
            Err(refusal) => self.refuse(refusal),
        }
        self.due = Due::Segment;
        Ok(())
    }

    /// A peer that refuses what it read in our HELLO sends its RESULT here.
    fn on_segment(&mut self, command: &Command<'_>) -> Result<(), ProtocolError> {
        let attached = self.attached.take();
        if wire::is(command, wire::RESULT) && wire::read_result(command.data)? != 0 {
            return self.on_result(command);
        }
        if !wire::is(command, wire::SEGMENT) {
            return Err(command.unexpected(wire::SEGMENT));
        }
        self.due = Due::Result;
        if self.ours.is_some() {
            return Ok(());
        }
        let Some(hello) = &self.hello else {
            return Ok(());
        };
        let sizes = Sizes::read(command.data, hello, &self.terms);
        match sizes.and_then(|sizes| offer(sizes, attached)) {
            Ok(offer) => self.offer = Some(offer),
            Err(refusal) => self.refuse(refusal),
        }
        Ok(())
    }

    fn on_result(&mut self, command: &Command<'_>) -> Result<(), ProtocolError> {
        if !wire::is(command, wire::RESULT) {
            return Err(command.unexpected(wire::RESULT));
        }
        let code = wire::read_result(command.data)?;
        self.theirs = Some(code);
        self.due = Due::Nothing;
        if code != 0 {
            self.refuse(UpgradeRefusal::PeerRefused(code));
        }
        Ok(())
    }

    /// Our word, once.
    fn settle(&mut self, word: Result<(), UpgradeRefusal>) {
        if self.ours.is_some() {
            return;
        }
        let code = word.as_ref().err().map_or(0, UpgradeRefusal::code);
        self.offer = None;
        self.ours = Some(word);
        self.push(wire::result_frame(code), false);
    }

    fn push(&mut self, bytes: Vec<u8>, with_descriptors: bool) {
        self.outbox.push_back(Outgoing {
            bytes,
            with_descriptors,
        });
    }
}

/// The command at the front of `bytes` and the length of its frame; `None` while it is not complete.
fn command_at(bytes: &[u8]) -> Result<Option<(Command<'_>, usize)>, ProtocolError> {
    let Some((body, end)) = Command::body_at(bytes, MAX_COMMAND)? else {
        return Ok(None);
    };
    Ok(Some((Command::parse(body)?, end)))
}

/// What was announced, with what came.
fn offer<F>(sizes: Sizes, attached: Option<(Vec<F>, bool)>) -> Result<Offer<F>, UpgradeRefusal> {
    let (descriptors, cut) = attached.unwrap_or_default();
    let (came, expected) = (descriptors.len(), sizes.descriptors());
    if cut || came != expected {
        let more = if cut { " and more that were lost" } else { "" };
        let text = format!("{came} came{more}, not {expected}");
        return Err(UpgradeRefusal::BadDescriptor(text));
    }
    let mut descriptors = descriptors.into_iter();
    let mut next = |size| descriptors.next().map(|descriptor| (descriptor, size));
    match next(sizes.segment) {
        Some(segment) => Ok(Offer {
            segment,
            pool: next(sizes.pool),
        }),
        None => Err(UpgradeRefusal::BadDescriptor("none came".to_owned())),
    }
}
