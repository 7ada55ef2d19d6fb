//! What a socket's lock protects: the pattern, the pipes and the descriptor.
//!
//! Plain, synchronous code. Everything here runs in the thread of whoever holds the lock: the caller in
//! the common case, the context's thread when no caller is there.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use tokio::task::AbortHandle;

use super::flush::{Advice, FlushPolicy};
use super::signal::{Ring, Signal};
use super::spin::Spinner;
use super::watch::{Ready, Watch};
use crate::config::{Endpoint, Options, SocketKind};
use crate::message::Message;
use crate::pattern::{Pattern, PipeEvent, RecvRefusal, Refusal};
use crate::pipe::{
    CloseCause, CloseKind, Counters, Flush, Glance, Lane, LaneEvent, Limits, Pipe, PipeId, Pipes,
};
use crate::session::Line;
use crate::socket::background::Background;
use crate::transport::ChooseGates;

/// Received bytes kept per link while nobody receives; the rest waits in the kernel and holds the peer up.
const READ_AHEAD: usize = 64 * 1024;
/// Receives after which the other links get a chance to be noticed.
const LOOK_EVERY: u32 = 64;
/// Fruitless looks at shared memory after which the kernel is asked too, on sockets that have nothing else.
const GLANCES: u32 = 32;
/// Links over shared memory of which each is looked at while nobody waits; with more it costs less to ask the kernel.
const FEW: usize = 16;
/// Rounds of news after which others get their turn.
const ROUNDS: u32 = 16;

/// A bound endpoint.
pub(super) struct Bound {
    pub(super) endpoint: Endpoint,
    /// The accepting task; none for inproc.
    pub(super) task: Option<Accepting>,
}

/// A task that accepts.
pub(super) struct Accepting {
    pub(super) task: AbortHandle,
    /// Ends when the task is gone, and with it the listener.
    pub(super) gone: Receiver<()>,
}

impl Accepting {
    /// Stops to listen. The address is free when this returns, unless the thread is the context's own.
    pub(super) fn stop(self, background: &Background) {
        self.task.abort();
        if !background.is_current_thread() {
            // The sender is never used: this ends when it is dropped.
            let _ = self.gone.recv();
        }
    }
}

/// A connected endpoint.
pub(super) struct Connected {
    pub(super) endpoint: Endpoint,
    pub(super) line: Option<Arc<Line>>,
    pub(super) pipe: Option<PipeId>,
    pub(super) task: Option<AbortHandle>,
}

/// See the file's text.
pub(super) struct State {
    pub(super) kind: SocketKind,
    pub(super) options: Options,
    /// Which gates new links have.
    pub(super) gates: Option<Arc<ChooseGates>>,
    pub(super) pattern: Box<dyn Pattern>,
    pub(super) pipes: Pipes,
    // Dropped after the pipes, whose descriptors it watches.
    pub(super) watch: Option<Watch>,
    pub(super) flush: FlushPolicy,
    pub(super) closed: bool,
    pub(super) bound: Vec<Bound>,
    pub(super) connected: Vec<Connected>,
    pub(super) lines: HashMap<PipeId, Arc<Line>>,
    /// Descriptors of lanes over shared memory, which may stay open behind the lane's end.
    bells: HashMap<PipeId, i32>,
    pub(super) last_endpoint: Option<Endpoint>,
    /// What went through pipes that are gone.
    pub(super) past: Counters,
    pub(super) next_number: u64,
    /// Callers look after the socket (see `lease.rs`); else the context's thread reads ahead.
    pub(super) attended: bool,
    /// A caller was here since the last tick of the lease.
    pub(super) used: bool,
    pub(super) idle_ticks: u32,
    /// There is, or was, a link that only the kernel tells of.
    pub(super) streams: bool,
    pub(super) spinner: Spinner,
    since_look: u32,
    glances: u32,
    ready: Vec<Ready>,
    rings: Vec<(PipeId, Ring)>,
    found: Vec<(PipeId, Glance)>,
}

impl State {
    pub(super) fn new(kind: SocketKind, options: Options, pattern: Box<dyn Pattern>) -> Self {
        State {
            kind,
            options,
            gates: None,
            pattern,
            pipes: Pipes::default(),
            watch: None,
            flush: FlushPolicy::default(),
            closed: false,
            bound: Vec::new(),
            connected: Vec::new(),
            lines: HashMap::new(),
            bells: HashMap::new(),
            last_endpoint: None,
            past: Counters::default(),
            next_number: 1,
            attended: false,
            used: false,
            idle_ticks: 0,
            streams: false,
            spinner: Spinner::default(),
            since_look: 0,
            glances: 0,
            ready: Vec::new(),
            rings: Vec::new(),
            found: Vec::new(),
        }
    }

    pub(super) fn limits(&self) -> (Limits, Limits) {
        let options = &self.options;
        (
            Limits {
                messages: options.send_hwm,
                bytes: options.send_hwm_bytes,
            },
            Limits {
                messages: options.recv_hwm,
                bytes: options.recv_hwm_bytes,
            },
        )
    }

    pub(super) fn number(&mut self) -> u64 {
        let number = self.next_number;
        self.next_number += 1;
        number
    }

    /// One receive without asking the kernel what is ready, unless it is time to.
    #[inline]
    pub(super) fn recv_known(
        &mut self,
        signal: &Signal,
        into: &mut Message,
    ) -> Result<(), RecvRefusal> {
        self.used = true;
        if signal.has_inbox() {
            self.sort_inbox(signal);
        }
        self.since_look += 1;
        if self.since_look >= LOOK_EVERY && self.pipes.len() > 1 {
            self.look(signal);
        }
        self.pattern.try_recv(&mut self.pipes, into)
    }

    /// One receive that has looked everywhere.
    pub(super) fn recv_looking(
        &mut self,
        signal: &Signal,
        into: &mut Message,
    ) -> Result<(), RecvRefusal> {
        let first = self.recv_known(signal, into);
        if !matches!(first, Err(RecvRefusal::Empty)) {
            return first;
        }
        self.look_around(signal);
        self.pattern.try_recv(&mut self.pipes, into)
    }

    /// One send; a refused message stays where it is.
    #[inline]
    pub(super) fn send(&mut self, signal: &Signal, message: &mut Message) -> Result<(), Refusal> {
        if signal.has_inbox() {
            self.sort_inbox(signal);
        }
        self.pattern.try_send(&mut self.pipes, message)
    }

    /// After one or more sends: writes, or says that somebody must be asked to.
    #[inline]
    pub(super) fn after_send(&mut self, signal: &Signal) -> bool {
        if !self.pipes.has_dirty() {
            return false;
        }
        match self.flush.on_send(self.pipes.more, Instant::now) {
            Advice::Write => {
                let peers = self.flush_dirty(signal);
                self.flush.wrote(peers, Instant::now);
                false
            }
            Advice::Collect => false,
            Advice::Schedule => true,
        }
    }

    /// The caller waits, or found nothing: whatever was collected goes out.
    #[inline]
    pub(super) fn before_wait(&mut self, signal: &Signal) {
        self.pipes.more = false;
        self.flush.on_wait();
        self.flush_dirty(signal);
    }

    /// Writes what was collected; for how many peers.
    pub(super) fn flush_dirty(&mut self, signal: &Signal) -> u32 {
        let mut peers = 0;
        while let Some(id) = self.pipes.pop_dirty() {
            self.flush_pipe(id, signal);
            peers += 1;
        }
        peers
    }

    /// Writes what one pipe has; tells the pattern when that made room.
    pub(super) fn flush_pipe(&mut self, id: PipeId, signal: &Signal) {
        self.pipes.rouse(id);
        let Some(pipe) = self.pipes.get_mut(id) else {
            return;
        };
        let waited = pipe.has_pending();
        let Some(lane) = pipe.lane_mut() else { return };
        let mut result = lane.flush();
        if waited && result == Flush::Done {
            pipe.feed();
            result = pipe.lane_mut().map_or(Flush::Done, |lane| lane.flush());
        }
        if result == Flush::Done && waited && !pipe.has_pending() {
            self.made_room(id, signal);
        }
    }

    fn made_room(&mut self, id: PipeId, signal: &Signal) {
        self.pattern
            .on_event(&mut self.pipes, id, PipeEvent::Writable);
        signal.wake_writable();
    }

    /// Asks the kernel and the in-process peers what has changed, and acts on it.
    ///
    /// The kernel first: a look takes the event away that in-process peers wake threads with, so what they
    /// have posted must be read after it.
    pub(super) fn look(&mut self, signal: &Signal) {
        self.ask_kernel(signal);
        self.sort_inbox(signal);
        self.glance(signal, false);
    }

    /// Asks the kernel what is ready, and acts on it; `true` if something is.
    fn ask_kernel(&mut self, signal: &Signal) -> bool {
        self.since_look = 0;
        let Some(watch) = &mut self.watch else {
            return false;
        };
        let mut ready = std::mem::take(&mut self.ready);
        while watch.look(&mut ready) {}
        let found = !ready.is_empty();
        for event in ready.drain(..) {
            self.on_ready(event, signal);
        }
        self.ready = ready;
        found
    }

    /// Asks the kernel whether something has arrived, as somebody does who does not want to sleep: an only peer's
    /// stream is read, which saves asking first.
    pub(super) fn probe(&mut self, signal: &Signal) -> bool {
        let Some(id) = self.pipes.only() else {
            return self.ask_kernel(signal);
        };
        let lane = self.pipes.get_mut(id).and_then(Pipe::lane_mut);
        let found = lane.is_some_and(Lane::probe);
        if found {
            self.tell_readable(id, false, signal);
        }
        found
    }

    /// As [`look`](Self::look), but asks the kernel only if it has to tell something, or now and then.
    pub(super) fn look_around(&mut self, signal: &Signal) {
        self.glances += 1;
        let ask = self.streams || self.glances > GLANCES || self.bells.len() > FEW;
        if ask || signal.take_look_due() {
            self.glances = 0;
            return self.look(signal);
        }
        self.sort_inbox(signal);
        self.glance_at_sleepers(signal);
        self.glance(signal, false);
    }

    /// Looks at the peers that were asked to tell as well: they have told the kernel, which was not asked.
    fn glance_at_sleepers(&mut self, signal: &Signal) {
        let mut found = std::mem::take(&mut self.found);
        let asleep = self.bells.keys();
        found.extend(asleep.filter_map(|id| Some((*id, self.pipes.glance_at_sleeper(*id)?))));
        for (id, news) in found.drain(..) {
            self.pipes.rouse(id);
            self.on_news(id, news, signal);
        }
        self.found = found;
    }

    /// Looks for news in shared memory; `true` if there was any. With `sleep`, and for peers without news, asks them
    /// to tell from now on.
    pub(super) fn glance(&mut self, signal: &Signal, sleep: bool) -> bool {
        let (mut at, mut found) = (0, false);
        while let Some((id, news)) = self.pipes.glance(&mut at, sleep) {
            found = true;
            self.on_news(id, news, signal);
        }
        found
    }

    /// Has the peers tell of news from now on, as nobody looks. One that does not let up is left to the context's
    /// thread, so that the caller gets on.
    #[cold]
    pub(super) fn ask_to_tell(&mut self, signal: &Signal) {
        for _ in 0..ROUNDS {
            if !self.glance(signal, true) {
                return;
            }
        }
        signal.service.notify_one();
    }

    fn on_news(&mut self, id: PipeId, news: Glance, signal: &Signal) {
        if news.writable {
            self.flush_pipe(id, signal);
            self.made_room(id, signal);
        }
        if news.readable {
            self.tell_readable(id, false, signal);
        }
    }

    /// The bell of a lane over shared memory has rung, or its peer is gone.
    fn on_bell(&mut self, id: PipeId, hangup: bool, signal: &Signal) {
        self.pipes.rouse(id);
        let Some(lane) = self.pipes.get_mut(id).and_then(Pipe::lane_mut) else {
            return;
        };
        let _ = lane.on_event(if hangup {
            LaneEvent::Hangup
        } else {
            LaneEvent::Readable
        });
        // The bell may have been for another one than who sleeps: whoever does still wants to be told.
        let news = lane.glance(true).unwrap_or_default();
        self.on_news(id, news, signal);
        if hangup {
            self.tell_readable(id, true, signal);
        }
    }

    fn on_ready(&mut self, event: Ready, signal: &Signal) {
        let Some(pipe) = self.pipes.get_mut(event.pipe) else {
            return;
        };
        if pipe.glances() {
            if event.readable || event.hangup {
                self.on_bell(event.pipe, event.hangup, signal);
            }
            return;
        }
        // Bytes, because subscriptions and heartbeats are no messages.
        let depth = pipe.depth();
        let waits = depth.messages > 0 || depth.bytes > 0;
        let Some(lane) = pipe.lane_mut() else { return };
        if event.writable {
            let _ = lane.on_event(LaneEvent::Writable);
            if waits {
                self.flush_pipe(event.pipe, signal);
                self.made_room(event.pipe, signal);
            }
        }
        if event.readable || event.hangup {
            self.on_readable(event.pipe, event.hangup, signal);
        }
    }

    fn on_readable(&mut self, id: PipeId, hangup: bool, signal: &Signal) {
        let Some(lane) = self.pipes.get_mut(id).and_then(Pipe::lane_mut) else {
            return;
        };
        let _ = lane.on_event(if hangup {
            LaneEvent::Hangup
        } else {
            LaneEvent::Readable
        });
        self.tell_readable(id, hangup, signal);
    }

    /// Tells the pattern and those who wait that a pipe has something, or has come to its end.
    fn tell_readable(&mut self, id: PipeId, hangup: bool, signal: &Signal) {
        self.pattern
            .on_event(&mut self.pipes, id, PipeEvent::Readable);
        if hangup || !self.attended || !self.kind.can_recv() {
            self.read_ahead(id);
        }
        signal.wake_readable();
        if matches!(self.kind, SocketKind::Pub | SocketKind::XPub) {
            signal.wake_changed();
        }
    }

    /// Lets a lane read while nobody receives, and notes its end.
    pub(super) fn read_ahead(&mut self, id: PipeId) {
        let Some(lane) = self.pipes.get_mut(id).and_then(Pipe::lane_mut) else {
            return;
        };
        if let Some(cause) = lane.on_event(LaneEvent::Prefetch(READ_AHEAD)) {
            self.pipes.note_closed(id, cause);
        } else if self.kind == SocketKind::Push {
            self.discard_inbound(id);
        } else {
            // What was just read will not be announced by the kernel any more.
            self.pattern
                .on_event(&mut self.pipes, id, PipeEvent::Readable);
        }
    }

    /// Nothing is to be received on a PUSH socket, so nothing may pile up there.
    fn discard_inbound(&mut self, id: PipeId) {
        while self.pipes.try_recv(id, &mut Message::new()).is_some() {
            self.pipes
                .count_drop(Some(id), crate::pipe::DropReason::Ignored);
        }
    }

    /// Acts on what in-process peers did.
    pub(super) fn sort_inbox(&mut self, signal: &Signal) {
        let mut rings = std::mem::take(&mut self.rings);
        signal.take_inbox(&mut rings);
        for (id, ring) in rings.drain(..) {
            if self.pipes.get(id).is_none() {
                continue;
            }
            if let Some(pipe) = self.pipes.get_mut(id)
                && ring == Ring::Writable
            {
                pipe.feed();
                if pipe.gated {
                    // What is held behind a gate goes on too.
                    self.flush_pipe(id, signal);
                }
            }
            let event = if ring == Ring::Readable {
                PipeEvent::Readable
            } else {
                PipeEvent::Writable
            };
            self.pattern.on_event(&mut self.pipes, id, event);
            match ring {
                Ring::Readable => {
                    self.notice_end(id);
                    signal.wake_readable();
                }
                Ring::Writable => signal.wake_writable(),
            }
        }
        self.rings = rings;
    }

    /// The in-process peer may be gone, which a socket that never receives would not notice.
    fn notice_end(&mut self, id: PipeId) {
        if !self.kind.can_recv() {
            return self.read_ahead(id);
        }
        let lane = self.pipes.get_mut(id).and_then(Pipe::lane_mut);
        if let Some(cause) = lane.and_then(|lane| lane.on_event(LaneEvent::Readable)) {
            self.pipes.note_closed(id, cause);
        }
    }

    /// Notes in-process peers that are gone since their last message was received; nothing rings for that.
    pub(super) fn notice_ends(&mut self, signal: &Signal) {
        self.sort_inbox(signal);
        for id in self.pipes.ids() {
            if self.pipes.get(id).is_some_and(|pipe| !pipe.collects()) {
                self.read_ahead(id);
            }
        }
    }

    /// The callers are gone: whatever they left half-read or half-written is seen to.
    pub(super) fn take_over(&mut self, signal: &Signal) {
        self.attended = false;
        self.look(signal);
        for id in self.pipes.ids() {
            self.read_ahead(id);
        }
        self.wake_for_read_ahead(signal);
        self.flush_dirty(signal);
    }

    /// Wakes whom reading ahead has brought something. Not everybody: who waits in vain would take a lease
    /// anew each time.
    fn wake_for_read_ahead(&mut self, signal: &Signal) {
        if matches!(self.kind, SocketKind::Pub | SocketKind::XPub) {
            signal.wake_changed();
        }
        if (signal.anyone_waiting() || signal.anyone_polling())
            && self.pattern.can_recv(&mut self.pipes)
        {
            signal.wake_readable();
        }
    }

    /// Time passes for every lane (heartbeats).
    pub(super) fn tick(&mut self, now: Instant, signal: &Signal) {
        for id in self.pipes.ids() {
            let Some(lane) = self.pipes.get_mut(id).and_then(Pipe::lane_mut) else {
                continue;
            };
            let _ = lane.on_event(LaneEvent::Tick(now));
            self.read_ahead(id);
        }
        self.wake_for_read_ahead(signal);
    }

    /// What is not out yet, over all pipes.
    pub(super) fn unsent(&self) -> (usize, usize) {
        self.pipes
            .iter()
            .map(|(_, pipe)| pipe.depth())
            .fold((0, 0), |(messages, bytes), depth| {
                (messages + depth.messages, bytes + depth.bytes)
            })
    }

    /// Has the descriptor of a pipe's new lane watched.
    pub(super) fn watch_lane(&mut self, id: PipeId, fd: i32) {
        let watched = self
            .watch
            .as_ref()
            .is_some_and(|watch| watch.add(fd, id).is_ok());
        if !watched {
            let why = "the descriptor cannot be watched";
            self.pipes
                .note_closed(id, CloseCause::new(CloseKind::Io, why));
        }
        if self.pipes.get(id).is_some_and(Pipe::glances) {
            self.bells.insert(id, fd);
        } else {
            self.streams = true;
        }
    }

    /// Takes a pipe's lane away.
    pub(super) fn detach_lane(&mut self, id: PipeId) {
        if let (Some(fd), Some(watch)) = (self.bells.remove(&id), &self.watch) {
            watch.remove(fd);
        }
        if let Some(pipe) = self.pipes.get_mut(id) {
            drop(pipe.detach());
        }
    }

    /// Takes a pipe out for good.
    pub(super) fn remove_pipe(&mut self, id: PipeId) {
        self.pattern
            .on_event(&mut self.pipes, id, PipeEvent::Detached);
        self.lines.remove(&id);
        self.detach_lane(id);
        if let Some(mut pipe) = self.pipes.remove(id) {
            // After detaching, which has counted what was cut in the middle.
            let left = pipe.depth().messages;
            pipe.counters
                .drops
                .add(crate::pipe::DropReason::LinkLost, left as u64);
            self.past.merge(&pipe.counters);
        }
    }

    pub(super) fn next_closed(&mut self) -> Option<(PipeId, CloseCause)> {
        self.pipes.pop_closed()
    }
}
