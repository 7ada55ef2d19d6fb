//! What the context asks of a socket, and how two sockets of one process meet.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::base::Core;
use super::links::attach;
use crate::config::SocketKind;
use crate::pipe::{Bell, PeerInfo, Pipe, PipeId};
use crate::socket::hosted::{Hosted, Visitor, Welcome};
use crate::transport::{InprocEnd, NewLink, inproc_pair};

impl Hosted for Core {
    fn close(&self) {
        Core::close(self);
    }

    fn is_closed(&self) -> bool {
        Core::is_closed(self)
    }

    fn check_lease(&self) -> bool {
        Core::check_lease(self)
    }

    fn flush_turn(&self) -> Duration {
        Core::flush_turn(self)
    }

    fn flush_guarded(&self) {
        Core::flush_guarded(self);
    }

    fn welcome(&self, visitor: Visitor, endpoint: &str) -> Welcome {
        let gates =
            self.gates_for(|| in_process(endpoint, visitor.kind, visitor.routing_id.clone()));
        let mut state = self.lock();
        if state.closed {
            return Welcome::Closed;
        }
        if !visitor.kind.accepts(self.kind) {
            return Welcome::Incompatible;
        }
        let info = PeerInfo {
            number: state.number(),
            endpoint: endpoint.to_owned(),
            kind: Some(visitor.kind),
            routing_id: visitor.routing_id,
            ..PeerInfo::default()
        };
        let (send, recv) = state.limits();
        let conflate = state.options.conflate;
        let pipe = state.pipes.insert(Pipe::new(info, send, recv, conflate));
        let door = self.signal.clone();
        let bell = Bell { door, pipe };
        let end = InprocEnd {
            bell,
            send,
            recv,
            conflate,
        };
        let (lane, ours) = inproc_pair(&visitor.end, &end);
        let routing_id = state.options.routing_id.clone();
        let ours = self.gated(&mut state, pipe, ours, gates);
        attach(&mut state, pipe, true, ours, false);
        self.finish(state);
        self.wake_for_a_link();
        Welcome::In {
            lane,
            kind: self.kind,
            routing_id,
        }
    }

    fn marry(&self, pipe: PipeId, binder: &Arc<dyn Hosted>, endpoint: &str, binding: u64) -> bool {
        let Some((visitor, last)) = self.introduce(pipe) else {
            return true;
        };
        if last == binding {
            self.refuse(pipe, "the bound socket has ended the link");
            return true;
        }
        match binder.welcome(visitor, endpoint) {
            Welcome::Closed => return false,
            Welcome::Incompatible => {
                self.refuse(pipe, "the bound socket is of an incompatible kind");
            }
            Welcome::In {
                lane,
                kind,
                routing_id,
            } => {
                let gates = self.gates_for(|| in_process(endpoint, kind, routing_id.clone()));
                let mut state = self.lock();
                if let Some(pipe) = state.pipes.get_mut(pipe) {
                    pipe.info.kind = Some(kind);
                    pipe.info.routing_id = routing_id;
                    pipe.info.binding = binding;
                }
                let new = !state.pattern_knows(pipe);
                let lane = self.gated(&mut state, pipe, lane, gates);
                attach(&mut state, pipe, new, lane, false);
                self.finish(state);
                self.wake_for_a_link();
            }
        }
        true
    }
}

/// A link within the context, as gates are chosen by.
fn in_process(endpoint: &str, kind: SocketKind, routing_id: Bytes) -> NewLink {
    NewLink {
        endpoint: endpoint.to_owned(),
        address: String::new(),
        kind: Some(kind),
        routing_id,
        user_id: String::new(),
        credentials: None,
    }
}

impl Core {
    /// Our end of a lane to be, and the number of the bind that made the pipe's last link; `None` if the pipe is gone.
    fn introduce(&self, pipe: PipeId) -> Option<(Visitor, u64)> {
        let state = self.lock();
        let last = state.pipes.get(pipe)?.info.binding;
        let (send, recv) = state.limits();
        let door = self.signal.clone();
        let end = InprocEnd {
            bell: Bell { door, pipe },
            send,
            recv,
            conflate: state.options.conflate,
        };
        let visitor = Visitor {
            kind: self.kind,
            routing_id: state.options.routing_id.clone(),
            end,
        };
        Some((visitor, last))
    }

    fn wake_for_a_link(&self) {
        self.signal.wake_readable();
        self.signal.wake_writable();
        self.signal.wake_changed();
    }
}
