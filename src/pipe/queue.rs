//! The in-process queue: one writer, one reader, bounded by a watermark.
//!
//! ```text
//!                   one lock, held for a few instructions
//!   QueueSender ──► [ fresh, up to 32 ] ──full──► [ ready ........ ] ──swapped──► batch ──► QueueReceiver
//!        ▲            in the writer's cache         32 at a time         the reader's own
//!        └──────────── consumed (told every low watermark) ◄─────────────────────────┘
//! ```
//!
//! The writer touches memory that the reader has touched only once in 32 packets, and then much of it at once: cache
//! lines cross over together, where one after the other would hold up the lock's atomic operations. The reader swaps
//! its empty buffer for the full one, and takes `fresh` only if there is nothing else. Whatever was sent can be
//! received at once.
//!
//! The reader says under the lock that it found nothing, so the writer knows when to ring its bell. A writer at its
//! watermark announces that it waits (store), fences and looks again; the reader tells, fences and looks for the
//! announcement. One of the two always sees the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};

use parking_lot::Mutex;

use super::{Doorbell, Got, Limits, Packet, PipeId, Subscription};
use crate::message::Message;

/// Packets that cross over together.
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
    buffers: Mutex<Buffers>,
    consumed: AtomicUsize,
    consumed_bytes: AtomicUsize,
    /// The writer was refused and wants its bell rung.
    writer_waits: AtomicBool,
    reader_gone: AtomicBool,
    /// Changed under the lock of the buffers.
    writer_gone: AtomicBool,
    send_limits: Mutex<(Limits, Limits)>,
    limits_changed: AtomicUsize,
}

/// What was sent and not taken over by the reader.
struct Buffers {
    /// Behind `ready`.
    fresh: Vec<Packet>,
    ready: VecDeque<Packet>,
    /// The reader found nothing and wants its bell rung.
    reader_idle: bool,
}

impl Shared {
    fn limits(&self) -> Limits {
        let (send, recv) = *self.send_limits.lock();
        send.joined(recv)
    }
}

impl Buffers {
    /// Moves the fresh packets behind the others, where the reader takes them.
    #[inline(never)]
    fn pass_on(&mut self) {
        self.ready.extend(self.fresh.drain(..));
    }

    fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.fresh.is_empty()
    }
}

/// The writing end.
pub(crate) struct QueueSender {
    shared: Arc<Shared>,
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
    /// What was taken over.
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
    let shared = Arc::new(Shared {
        buffers: Mutex::new(Buffers {
            fresh: Vec::new(),
            ready: VecDeque::new(),
            reader_idle: true,
        }),
        consumed: AtomicUsize::new(0),
        consumed_bytes: AtomicUsize::new(0),
        writer_waits: AtomicBool::new(false),
        reader_gone: AtomicBool::new(false),
        writer_gone: AtomicBool::new(false),
        send_limits: Mutex::new((send, recv)),
        limits_changed: AtomicUsize::new(0),
    });
    let limits = send.joined(recv);
    let sender = QueueSender {
        shared: shared.clone(),
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
    /// Takes the message; or `false`, and it stays, at the watermark or when the reader is gone.
    #[inline]
    pub(crate) fn try_send(&mut self, message: &mut Message) -> bool {
        if !self.admits() && !self.wait_for_room() {
            return false;
        }
        if self.shared.reader_gone.load(Ordering::Relaxed) {
            return false;
        }
        self.push(Packet::Message(std::mem::take(message)));
        true
    }

    /// Takes a subscription, which no watermark holds up.
    pub(crate) fn subscribe(&mut self, subscription: Subscription) {
        if !self.shared.reader_gone.load(Ordering::Relaxed) {
            self.push(Packet::Subscription(subscription));
        }
    }

    #[inline]
    fn push(&mut self, packet: Packet) {
        self.sent = self.sent.wrapping_add(1);
        self.sent_bytes = self.sent_bytes.wrapping_add(packet.byte_len());
        let mut buffers = self.shared.buffers.lock();
        buffers.fresh.push(packet);
        if buffers.fresh.len() >= BATCH {
            buffers.pass_on();
        }
        let idle = std::mem::take(&mut buffers.reader_idle);
        drop(buffers);
        if idle {
            self.reader.door.readable(self.reader.pipe);
        }
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
        let mut buffers = self.shared.buffers.lock();
        self.shared.writer_gone.store(true, Ordering::Release);
        buffers.reader_idle = false;
        drop(buffers);
        self.reader.door.readable(self.reader.pipe);
    }
}

impl QueueReceiver {
    /// The next packet, a message into `into`; if there is none, `ended` says whether there will ever be another.
    #[inline]
    pub(crate) fn try_recv(&mut self, into: &mut Message) -> Option<Got> {
        if self.batch.is_empty() && !self.look() && !self.doze() {
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
        match packet {
            Packet::Message(message) => {
                *into = message;
                let more = !self.batch.is_empty();
                Some(Got::Message { more })
            }
            Packet::Subscription(subscription) => Some(Got::Subscription(subscription)),
        }
    }

    /// Whether the writer was gone when `try_recv` last found nothing.
    pub(crate) fn ended(&self) -> bool {
        self.ended
    }

    /// Whether the writer is gone. What it sent may still be there.
    #[inline]
    pub(crate) fn writer_gone(&self) -> bool {
        self.shared.writer_gone.load(Ordering::Acquire)
    }

    /// Takes over what is there; `false` if that is nothing.
    #[inline(never)]
    fn look(&mut self) -> bool {
        let found = self.take_over();
        if found >= FEW {
            self.few_looks = 0;
        } else if found > 0 {
            self.few_looks += 1;
            if self.few_looks > FEW_LOOKS {
                // We run right behind the writer: it is let run ahead.
                self.few_looks = 0;
                spin(HANG_BACK);
            }
        }
        found > 0
    }

    /// How many packets were taken over into the empty batch.
    fn take_over(&mut self) -> usize {
        let mut buffers = self.shared.buffers.lock();
        if buffers.ready.is_empty() {
            buffers.pass_on();
        }
        std::mem::swap(&mut buffers.ready, &mut self.batch);
        self.batch.len()
    }

    /// Announces that we found nothing, unless something has come. In a stream it is worth a moment to find that the
    /// next packet has, because the announcement makes the writer ring a bell.
    fn doze(&mut self) -> bool {
        self.few_looks = 0;
        if self.taken.wrapping_sub(self.dozed_at) >= A_STREAM {
            spin(LOOK_TWICE);
        }
        self.dozed_at = self.taken;
        let mut buffers = self.shared.buffers.lock();
        let found = !buffers.is_empty();
        buffers.reader_idle = !found;
        let gone = self.writer_gone();
        drop(buffers);
        if found {
            return self.take_over() > 0;
        }
        self.tell();
        self.ended = gone;
        false
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
