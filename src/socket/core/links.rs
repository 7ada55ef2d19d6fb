//! Links coming and going: what sessions tell the socket, and what becomes of pipes that have ended.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::MutexGuard;

use super::base::Core;
use super::state::State;
use crate::config::{Options, SocketKind};
use crate::message::{Frame, Message};
use crate::pattern::PipeEvent;
use crate::pipe::{CloseCause, CloseKind, DropReason, Lane, PeerInfo, Pipe, PipeId};
use crate::session::{Arrival, Line, LinkOwner, MonitorEvent, MonitorKind};
use crate::transport::{Link, Memory, NewLink, SharedState};

impl LinkOwner for Core {
    fn kind(&self) -> SocketKind {
        self.kind
    }

    fn options(&self) -> Options {
        Core::options(self)
    }

    fn memory(&self) -> Memory {
        self.memory.clone()
    }

    fn link_up(&self, arrival: &Arrival, link: Link) -> bool {
        let endpoint = match arrival {
            Arrival::Dialed(line) => line.endpoint.to_string(),
            Arrival::Accepted(endpoint) => endpoint.clone(),
        };
        let address = link.address.clone();
        let gates = self.gates_for(|| NewLink {
            endpoint: endpoint.clone(),
            address: address.clone(),
            kind: link.peer.kind,
            routing_id: link.peer.routing_id.clone(),
            user_id: link.user_id.clone(),
            credentials: link.credentials,
        });
        let mut state = self.lock();
        if state.closed && !matches!(arrival, Arrival::Dialed(_)) {
            return false;
        }
        if self.ensure_watch(&mut state).is_err() {
            return false;
        }
        let Some((id, new)) = self.place(&mut state, arrival, &link, &endpoint) else {
            return false;
        };
        let heartbeat = state.options.heartbeat_interval;
        self.tell(&endpoint, Some(&address), MonitorKind::HandshakeSucceeded);
        let outcome = match &link.shared {
            SharedState::NotOffered => None,
            SharedState::Used => Some(Ok(())),
            SharedState::Refused(refusal) => Some(Err(refusal.clone())),
        };
        if let Some(outcome) = outcome {
            let kind = MonitorKind::SharedMemory { outcome };
            self.tell(&endpoint, Some(&address), kind);
        }
        let lane = self.gated(&mut state, id, link.lane, gates);
        attach(&mut state, id, new, lane, true);
        state.watch_lane(id, link.fd);
        state.flush_dirty(&self.signal);
        state.flush_pipe(id, &self.signal);
        if !state.attended {
            state.read_ahead(id);
        }
        self.finish(state);
        self.signal.wake_readable();
        self.signal.wake_writable();
        self.signal.wake_changed();
        if let Some(interval) = heartbeat {
            self.start_ticks(interval / 4);
        }
        true
    }

    fn gave_up(&self, line: &Line) {
        let mut state = self.lock();
        let pipe = line.pipe.lock().take();
        state.connected.retain(|connected| {
            connected
                .line
                .as_ref()
                .is_none_or(|known| !std::ptr::eq(&**known, line))
        });
        if let Some(id) = pipe {
            state.remove_pipe(id);
        }
        self.finish(state);
        self.tell(&line.endpoint.to_string(), None, MonitorKind::Closed);
        self.signal.wake_changed();
        self.signal.wake_writable();
        self.signal.served.notify_one();
    }

    fn event(&self, event: MonitorEvent) {
        self.monitor.publish(event);
    }

    fn wants_ticks(&self) {
        self.start_ticks(Duration::from_millis(100));
    }
}

/// Gives a pipe its lane and tells the pattern, in the order patterns rely on.
pub(super) fn attach(
    state: &mut State,
    id: PipeId,
    new: bool,
    lane: Box<dyn Lane>,
    collects: bool,
) {
    let hello = state.options.hello_msg.clone();
    if new {
        state.attach_to_pattern(id);
    }
    state.pipes.attach(id, lane, collects);
    state
        .pattern
        .on_event(&mut state.pipes, id, PipeEvent::LinkUp);
    if let Some(hello) = hello {
        let mut hello = Message::from(Frame::from(hello));
        if !state.pipes.try_send(id, &mut hello) {
            state.pipes.count_drop(Some(id), DropReason::Watermark);
        }
    }
    state
        .pattern
        .on_event(&mut state.pipes, id, PipeEvent::Readable);
    state
        .pattern
        .on_event(&mut state.pipes, id, PipeEvent::Writable);
}

impl Core {
    /// The pipe for a new link, and whether it is new to the pattern.
    fn place(
        &self,
        state: &mut State,
        arrival: &Arrival,
        link: &Link,
        endpoint: &str,
    ) -> Option<(PipeId, bool)> {
        let fill = |info: &mut PeerInfo| {
            info.endpoint = endpoint.to_owned();
            info.address = link.address.clone();
            info.credentials = link.credentials;
            info.shared_memory = link.shared == SharedState::Used;
            info.kind = link.peer.kind;
            info.routing_id = link.peer.routing_id.clone();
            info.metadata = link
                .peer
                .metadata
                .iter()
                .map(|(name, value)| (name.to_owned(), value.clone()))
                .collect();
            info.user_id = link.user_id.clone();
        };
        if let Arrival::Dialed(line) = arrival
            && let Some(id) = *line.pipe.lock()
        {
            let pipe = state.pipes.get_mut(id)?;
            fill(&mut pipe.info);
            return Some((id, false));
        }
        let mut info = PeerInfo {
            number: state.number(),
            ..PeerInfo::default()
        };
        fill(&mut info);
        let line = match arrival {
            Arrival::Dialed(line) => Some(line),
            Arrival::Accepted(_) => None,
        };
        info.connected_side = line.is_some();
        info.assigned_id = line.and_then(|line| line.assigned_id.clone());
        let (send, recv) = state.limits();
        let id = state
            .pipes
            .insert(Pipe::new(info, send, recv, state.options.conflate));
        if let Some(line) = line {
            *line.pipe.lock() = Some(id);
            state.lines.insert(id, line.clone());
        }
        Some((id, true))
    }

    pub(crate) fn refuse(&self, pipe: PipeId, why: &str) {
        let mut state = self.lock();
        state
            .pipes
            .note_closed(pipe, CloseCause::new(CloseKind::Local, why));
        self.finish(state);
    }

    /// Sees to pipes that have ended, then unlocks.
    #[cold]
    pub(super) fn settle(&self, mut state: MutexGuard<'_, State>) {
        let mut rejoin = Vec::new();
        while let Some((id, cause)) = state.next_closed() {
            self.link_lost(&mut state, id, cause, &mut rejoin);
        }
        if state.pipes.take_stalled() {
            self.owe(&mut state);
        }
        drop(state);
        self.signal.wake_readable();
        self.signal.wake_writable();
        self.signal.wake_changed();
        self.signal.served.notify_one();
        for (name, id) in rejoin {
            self.context.inproc_wait(&name, self.me.clone(), id);
        }
    }

    fn link_lost(
        &self,
        state: &mut State,
        id: PipeId,
        cause: CloseCause,
        rejoin: &mut Vec<(String, PipeId)>,
    ) {
        let Some(pipe) = state.pipes.get(id) else {
            return;
        };
        if pipe.has_ended() {
            state.remove_pipe(id);
            return;
        }
        let endpoint = pipe.info.endpoint.clone();
        let address = pipe.info.address.clone();
        let had_lane = pipe.has_lane();
        let connected = pipe.info.connected_side;
        let inproc = endpoint.starts_with("inproc://");
        // The socket is closed and everything is out: the end that was to come, no news.
        let farewell = state.closed && pipe.depth().messages == 0;
        if had_lane && !inproc && !farewell {
            self.tell(
                &endpoint,
                Some(&address),
                MonitorKind::Disconnected {
                    reason: cause.to_string(),
                },
            );
        }
        let line = state.lines.get(&id).cloned();
        let lasting = connected && cause.kind != CloseKind::Local && !farewell;
        if lasting && had_lane && inproc && state.options.immediate {
            rejoin.extend(state.replace_waiting(id).map(|next| (endpoint, next)));
        } else if lasting && had_lane && !state.options.immediate && (line.is_some() || inproc) {
            self.wait_for_next_link(state, id);
            if inproc {
                rejoin.push((endpoint, id));
            }
        } else {
            if let Some(line) = &line {
                line.pipe.lock().take();
            }
            if inproc || farewell || cause.kind == CloseKind::Local {
                state.drop_connected(id);
            }
            self.part(state, id, cause);
        }
        if let Some(line) = line {
            line.lost.notify_one();
        }
    }

    /// A connected-side pipe outlives its link.
    fn wait_for_next_link(&self, state: &mut State, id: PipeId) {
        let hiccup = state.options.hiccup_msg.clone();
        state.detach_lane(id);
        if let Some(pipe) = state.pipes.get_mut(id) {
            pipe.counters.reconnects += 1;
            pipe.info.address.clear();
            if let Some(hiccup) = &hiccup {
                pipe.inject(Message::from(Frame::from(hiccup.clone())));
            }
        }
        state
            .pattern
            .on_event(&mut state.pipes, id, PipeEvent::LinkDown);
        if hiccup.is_some() {
            state
                .pattern
                .on_event(&mut state.pipes, id, PipeEvent::Readable);
        }
    }

    /// An accepted pipe ends with its link; a last message of the options' may still be delivered.
    fn part(&self, state: &mut State, id: PipeId, cause: CloseCause) {
        let farewell = state
            .options
            .disconnect_msg
            .clone()
            .filter(|_| !state.closed && state.kind.can_recv());
        let speaks = |pipe: &Pipe| !pipe.info.connected_side && pipe.has_lane();
        let farewell = farewell.filter(|_| state.pipes.get(id).is_some_and(speaks));
        if farewell.is_some() {
            state.detach_lane(id);
        }
        match (farewell, state.pipes.get_mut(id)) {
            (Some(farewell), Some(pipe)) => {
                pipe.inject(Message::from(Frame::from(farewell)));
                pipe.end(cause);
                state
                    .pattern
                    .on_event(&mut state.pipes, id, PipeEvent::Readable);
            }
            _ => state.remove_pipe(id),
        }
    }

    /// Starts the heartbeat's clock, once.
    fn start_ticks(&self, period: Duration) {
        if self.ticking.swap(true, Ordering::AcqRel) {
            return;
        }
        let period = period.clamp(Duration::from_millis(2), Duration::from_millis(500));
        if let Ok(background) = self.background() {
            background
                .handle()
                .spawn(super::lease::tick(self.me.clone(), period));
        }
    }
}

impl State {
    /// Forgets a connected endpoint whose pipe is gone, and stops its dialer.
    pub(super) fn drop_connected(&mut self, id: PipeId) {
        self.connected.retain(|connected| {
            let gone = connected.pipe == Some(id);
            if gone && let Some(task) = &connected.task {
                task.abort();
            }
            !gone
        });
    }

    /// With `immediate` a pattern does not know a pipe before its link is up.
    pub(super) fn pattern_knows(&self, id: PipeId) -> bool {
        self.pipes.get(id).is_some_and(|pipe| pipe.info.attached)
    }

    /// A pipe of this side's that waits for its link, and that the pattern does not know yet.
    pub(super) fn insert_waiting(
        &mut self,
        endpoint: String,
        assigned_id: Option<Bytes>,
    ) -> PipeId {
        let info = PeerInfo {
            number: self.number(),
            endpoint,
            assigned_id,
            connected_side: true,
            ..PeerInfo::default()
        };
        let (send, recv) = self.limits();
        self.pipes
            .insert(Pipe::new(info, send, recv, self.options.conflate))
    }

    /// Makes a pipe known to the pattern.
    pub(super) fn attach_to_pattern(&mut self, id: PipeId) {
        if let Some(pipe) = self.pipes.get_mut(id) {
            pipe.info.attached = true;
        }
        self.pattern
            .on_event(&mut self.pipes, id, PipeEvent::Attached);
    }

    /// With `immediate` an in-process pipe ends with its link, and an empty one waits for the next in its place.
    fn replace_waiting(&mut self, id: PipeId) -> Option<PipeId> {
        let info = &self.pipes.get(id)?.info;
        let (endpoint, assigned_id) = (info.endpoint.clone(), info.assigned_id.clone());
        let binding = info.binding;
        self.remove_pipe(id);
        let next = self.insert_waiting(endpoint, assigned_id);
        if let Some(pipe) = self.pipes.get_mut(next) {
            pipe.info.binding = binding;
        }
        self.connected
            .iter_mut()
            .filter(|known| known.pipe == Some(id))
            .for_each(|known| known.pipe = Some(next));
        Some(next)
    }
}
