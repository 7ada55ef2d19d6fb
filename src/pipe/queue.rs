//! The in-process queue: one writer, one reader, bounded by a watermark, without locks in the steady state.
//!
//! ```text
//!   QueueSender ── ring (32 slots) ─► ring (64) ─► ring (128) … ─► QueueReceiver
//!        ▲                                                             │
//!        └────────── consumed (told every low watermark) ◄─────────────┘
//! ```
//!
//! The rings are `rtrb`'s. A ring that is full while the watermark is not yet reached is followed by a
//! larger one: the writer hands the new reader half over *before* it drops the old writer half, so a
//! reader that finds its ring empty and abandoned always finds the next one.
//!
//! Sleeping and waking follow one rule on both sides: announce (store), fence (SeqCst), look again. The
//! other side acts, fences, and then looks for the announcement. One of the two always sees the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use parking_lot::Mutex;
use rtrb::{Consumer, Producer, PushError, RingBuffer};

use super::{Doorbell, Limits, Packet, PipeId};

const FIRST_RING: usize = 32;
/// Rings stop doubling here: 1,024 packets of 72 bytes are 72 KiB.
const LARGEST_RING: usize = 1024;

/// Most packets taken out of a ring at once.
const BATCH: usize = 32;
/// A reader that keeps finding fewer packets than this runs right behind its writer, and both wait for the
/// same cache lines to cross over, at a quarter of the speed.
const FEW: usize = 16;
/// After so many such looks in a row (an empty one starts over) the reader lets the writer run ahead.
const FEW_LOOKS: u32 = 1;
/// Packets since the reader last found nothing that make a stream; one at a time is question and answer.
const A_STREAM: usize = 2;
/// Spins that let the writer run ahead: a few microseconds, which cost 20 messages and save 100.
const HANG_BACK: u32 = 160;
/// Spins before the reader of a stream says that it found nothing: about a microsecond. Nobody who waits for single
/// messages ever pays either.
const LOOK_TWICE: u32 = 24;

/// Where the far end of a queue is told of changes.
#[derive(Clone)]
pub(crate) struct Bell {
    pub(crate) door: Arc<dyn Doorbell>,
    pub(crate) pipe: PipeId,
}

struct Shared {
    /// Rings not yet taken up by the reader, oldest first.
    next: Mutex<VecDeque<Consumer<Packet>>>,
    consumed: AtomicUsize,
    consumed_bytes: AtomicUsize,
    /// The reader found nothing and wants its bell rung.
    reader_idle: AtomicBool,
    /// The writer was refused and wants its bell rung.
    writer_waits: AtomicBool,
    writer_gone: AtomicBool,
    reader_gone: AtomicBool,
    send_limits: Mutex<(Limits, Limits)>,
    limits_changed: AtomicUsize,
}

impl Shared {
    fn limits(&self) -> Limits {
        let (send, recv) = *self.send_limits.lock();
        send.joined(recv)
    }
}

/// The writing end.
pub(crate) struct QueueSender {
    shared: Arc<Shared>,
    ring: Option<Producer<Packet>>,
    ring_size: usize,
    sent: usize,
    sent_bytes: usize,
    /// What the reader had taken when last looked at.
    seen: usize,
    seen_bytes: usize,
    limits: Limits,
    limits_seen: usize,
    reader: Bell,
}

/// The reading end.
pub(crate) struct QueueReceiver {
    shared: Arc<Shared>,
    ring: Consumer<Packet>,
    /// Packets taken out of the ring together: the cache lines of several cross over at once, those of one after
    /// the other do not (each send and receive ends with an atomic operation that waits for them).
    batch: VecDeque<Packet>,
    few_looks: u32,
    /// How much was taken when the reader last announced that it found nothing.
    dozed_at: usize,
    taken: usize,
    taken_bytes: usize,
    told: usize,
    told_bytes: usize,
    low_water: usize,
    byte_step: usize,
    limits_seen: usize,
    ended: bool,
    writer: Bell,
}

/// A new queue. `writer` and `reader` say where the bells of both ends hang; `send` and `recv` are the
/// watermarks that either end brings.
pub(crate) fn queue(
    writer: Bell,
    reader: Bell,
    send: Limits,
    recv: Limits,
) -> (QueueSender, QueueReceiver) {
    let (producer, consumer) = RingBuffer::new(FIRST_RING);
    let shared = Arc::new(Shared {
        next: Mutex::new(VecDeque::new()),
        consumed: AtomicUsize::new(0),
        consumed_bytes: AtomicUsize::new(0),
        reader_idle: AtomicBool::new(true),
        writer_waits: AtomicBool::new(false),
        writer_gone: AtomicBool::new(false),
        reader_gone: AtomicBool::new(false),
        send_limits: Mutex::new((send, recv)),
        limits_changed: AtomicUsize::new(0),
    });
    let limits = send.joined(recv);
    let sender = QueueSender {
        shared: shared.clone(),
        ring: Some(producer),
        ring_size: FIRST_RING,
        sent: 0,
        sent_bytes: 0,
        seen: 0,
        seen_bytes: 0,
        limits,
        limits_seen: 0,
        reader,
    };
    let receiver = QueueReceiver {
        shared,
        ring: consumer,
        batch: VecDeque::new(),
        few_looks: 0,
        dozed_at: 0,
        taken: 0,
        taken_bytes: 0,
        told: 0,
        told_bytes: 0,
        low_water: limits.low_water(),
        byte_step: byte_step(limits),
        limits_seen: 0,
        ended: false,
        writer,
    };
    (sender, receiver)
}

/// How many bytes the reader takes before it tells: a quarter of the limit, or a good deal without one.
fn byte_step(limits: Limits) -> usize {
    if limits.bytes == 0 {
        1 << 20
    } else {
        limits.bytes.div_ceil(4)
    }
}

impl QueueSender {
    /// Queues the packet, or gives it back at the watermark or when the reader is gone.
    #[inline]
    pub(crate) fn try_send(&mut self, packet: Packet) -> Result<(), Packet> {
        let bytes = packet.byte_len();
        if !self.admits() && !packet.is_control() && !self.wait_for_room() {
            return Err(packet);
        }
        if self.shared.reader_gone.load(Ordering::Relaxed) {
            return Err(packet);
        }
        match self.ring.as_mut().map(|ring| ring.push(packet)) {
            Some(Ok(())) => {}
            Some(Err(PushError::Full(packet))) => self.grow(packet),
            None => return Ok(()),
        }
        self.sent = self.sent.wrapping_add(1);
        self.sent_bytes = self.sent_bytes.wrapping_add(bytes);
        self.ring_reader();
        Ok(())
    }

    #[inline]
    fn admits(&mut self) -> bool {
        if self.limits_seen != self.shared.limits_changed.load(Ordering::Relaxed) {
            self.limits_seen = self.shared.limits_changed.load(Ordering::Acquire);
            self.limits = self.shared.limits();
        }
        let depth = self.depth();
        self.limits.admit(depth.0, depth.1)
    }

    /// Messages and bytes that the reader has not told it took.
    #[inline]
    pub(crate) fn depth(&self) -> (usize, usize) {
        (
            self.sent.wrapping_sub(self.seen),
            self.sent_bytes.wrapping_sub(self.seen_bytes),
        )
    }

    fn look(&mut self) -> bool {
        self.seen = self.shared.consumed.load(Ordering::Acquire);
        self.seen_bytes = self.shared.consumed_bytes.load(Ordering::Acquire);
        let depth = self.depth();
        self.limits.admit(depth.0, depth.1)
    }

    /// Looks at what the reader took; announces that we wait if that is not enough.
    #[cold]
    fn wait_for_room(&mut self) -> bool {
        if self.look() {
            return true;
        }
        self.shared.writer_waits.store(true, Ordering::Relaxed);
        // Pairs with the fence in `QueueReceiver::tell`.
        fence(Ordering::SeqCst);
        let room = self.look();
        if room {
            self.shared.writer_waits.store(false, Ordering::Relaxed);
        }
        room
    }

    #[cold]
    fn grow(&mut self, packet: Packet) {
        self.ring_size = (self.ring_size * 2).min(LARGEST_RING);
        let (mut producer, consumer) = RingBuffer::new(self.ring_size);
        // A new ring has room for one packet, so the push cannot fail.
        let _ = producer.push(packet);
        self.shared.next.lock().push_back(consumer);
        self.ring = Some(producer);
    }

    #[inline]
    fn ring_reader(&self) {
        // Pairs with the fence in `QueueReceiver::try_recv`.
        fence(Ordering::SeqCst);
        if self.shared.reader_idle.load(Ordering::Relaxed)
            && self.shared.reader_idle.swap(false, Ordering::AcqRel)
        {
            self.reader.door.readable(self.reader.pipe);
        }
    }

    /// Messages that the reader never took: to be asked once it is gone.
    pub(crate) fn unread(&mut self) -> usize {
        self.look();
        self.depth().0
    }

    pub(crate) fn set_limits(&mut self, send: Limits) {
        self.shared.send_limits.lock().0 = send;
        self.shared.limits_changed.fetch_add(1, Ordering::Release);
    }
}

impl Drop for QueueSender {
    fn drop(&mut self) {
        self.ring = None;
        self.shared.writer_gone.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.shared.reader_idle.store(false, Ordering::Relaxed);
        self.reader.door.readable(self.reader.pipe);
    }
}

impl QueueReceiver {
    /// The next packet, if there is one; if not, `ended` says whether there will ever be another.
    #[inline]
    pub(crate) fn try_recv(&mut self) -> Option<Packet> {
        match self.pop() {
            Some(packet) => Some(packet),
            None => self.doze(),
        }
    }

    /// Whether the writer was gone when `try_recv` last found nothing.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    #[inline]
    fn pop(&mut self) -> Option<Packet> {
        if self.batch.is_empty() && !self.look() {
            return None;
        }
        let packet = self.batch.pop_front()?;
        self.taken = self.taken.wrapping_add(1);
        self.taken_bytes = self.taken_bytes.wrapping_add(packet.byte_len());
        if self.taken.wrapping_sub(self.told) >= self.low_water
            || self.taken_bytes.wrapping_sub(self.told_bytes) >= self.byte_step
        {
            self.tell();
        }
        Some(packet)
    }

    /// Takes out what is there, from the next ring if this one is done; `false` if there is nothing.
    #[inline(never)]
    fn look(&mut self) -> bool {
        loop {
            let there = self.ring.slots();
            if there > 0 {
                let there = self.hang_back(there).min(BATCH);
                if let Ok(chunk) = self.ring.read_chunk(there) {
                    self.batch.extend(chunk);
                }
                return true;
            }
            self.few_looks = 0;
            if !self.ring.is_abandoned() {
                return false;
            }
            // Abandoned, and possibly filled between the two looks: only an empty ring is left.
            if self.ring.is_empty() {
                match self.shared.next.lock().pop_front() {
                    Some(next) => self.ring = next,
                    None => return false,
                }
            }
        }
    }

    /// Lets the writer run ahead if we run right behind it; says how many packets there are then.
    fn hang_back(&mut self, there: usize) -> usize {
        if there >= FEW {
            self.few_looks = 0;
            return there;
        }
        self.few_looks += 1;
        if self.few_looks <= FEW_LOOKS {
            return there;
        }
        self.few_looks = 0;
        spin(HANG_BACK);
        self.ring.slots()
    }

    /// Announces that we found nothing, and looks once more. In a stream it is worth a moment to find that the next
    /// packet has come, because the announcement makes the writer ring a bell.
    fn doze(&mut self) -> Option<Packet> {
        if self.taken.wrapping_sub(self.dozed_at) >= A_STREAM {
            spin(LOOK_TWICE);
            if let Some(packet) = self.pop() {
                return Some(packet);
            }
        }
        self.dozed_at = self.taken;
        self.shared.reader_idle.store(true, Ordering::Relaxed);
        // Pairs with the fence in `QueueSender::ring_reader`.
        fence(Ordering::SeqCst);
        let gone = self.shared.writer_gone.load(Ordering::Acquire);
        let last = self.pop();
        match &last {
            Some(_) => self.shared.reader_idle.store(false, Ordering::Relaxed),
            None => {
                self.tell();
                self.ended = gone;
            }
        }
        last
    }

    /// Tells the writer how far we are, and rings its bell if it waits for that.
    #[cold]
    fn tell(&mut self) {
        if self.limits_seen != self.shared.limits_changed.load(Ordering::Relaxed) {
            self.limits_seen = self.shared.limits_changed.load(Ordering::Acquire);
            let limits = self.shared.limits();
            self.low_water = limits.low_water();
            self.byte_step = byte_step(limits);
        }
        self.told = self.taken;
        self.told_bytes = self.taken_bytes;
        self.shared.consumed.store(self.taken, Ordering::Release);
        self.shared
            .consumed_bytes
            .store(self.taken_bytes, Ordering::Release);
        // Pairs with the fence in `QueueSender::wait_for_room`.
        fence(Ordering::SeqCst);
        if self.shared.writer_waits.load(Ordering::Relaxed)
            && self.shared.writer_waits.swap(false, Ordering::AcqRel)
        {
            self.writer.door.writable(self.writer.pipe);
        }
    }

    pub(crate) fn set_limits(&mut self, recv: Limits) {
        self.shared.send_limits.lock().1 = recv;
        self.shared.limits_changed.fetch_add(1, Ordering::Release);
        self.tell();
    }
}

fn spin(rounds: u32) {
    for _ in 0..rounds {
        std::hint::spin_loop();
    }
}

impl Drop for QueueReceiver {
    fn drop(&mut self) {
        self.tell();
        self.shared.reader_gone.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        self.writer.door.writable(self.writer.pipe);
    }
}
