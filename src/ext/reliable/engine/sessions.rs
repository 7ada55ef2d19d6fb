//! Links, and who is at their other end.
//!
//! ```text
//!   connector: hello ─► silent ─ hello (answer) ─► session            both then say what they have (ack), and send
//!   listener:           silent ─ hello ──────────► session ─► hello (answer)
//!                                  └ another process of the same ident is connected: contending
//!                                      └ it answers a probe: refused    └ it does not, or its link ends: session
//! ```
//! Two messengers that connect to each other have two links: both take the one that the smaller ident connected, and keep
//! the other in reserve.

use super::super::model::{Event, Refusal};
use super::super::wire::{Flaw, Hello, Packet, Refuse};
use super::machine::{Engine, Timer};
use super::parts::{Contender, Link, LinkId, PeerKey, State};
use super::peer::Probe;
use super::time::Time;
use crate::message::Message;

/// A refusal is followed by another attempt after this many times the retry interval, at first; then twice as many.
const PATIENCE: u32 = 32;

impl Engine {
    /// A link is there: one that we connected, or somebody else's, which begins with a hello.
    pub(in crate::ext::reliable) fn link_up(&mut self, id: LinkId, connector: bool, now: Time) {
        let link = Link {
            connector,
            state: State::Silent,
            refusals: 0,
            hello_at: now,
        };
        self.links.insert(id, link);
        if connector {
            self.say_hello(id, now);
        }
    }

    fn hello(&self, answer: bool) -> Packet {
        Packet::Hello(Hello {
            answer,
            instance: self.me.instance,
            run: self.me.run,
            max_message: self.settings.max_message,
            ident: self.me.ident.as_str().to_owned(),
        })
    }

    fn say_hello(&mut self, id: LinkId, now: Time) {
        let next = now.after(self.settings.retry);
        if let Some(link) = self.links.get_mut(&id) {
            (link.state, link.hello_at) = (State::Silent, next);
            self.post(id, &self.hello(false));
            self.arm(next, Timer::Link(id));
        }
    }

    pub(super) fn link_timer(&mut self, id: LinkId, now: Time) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let waits = matches!(link.state, State::Silent | State::Refused);
        if link.connector && waits && link.hello_at <= now && !self.closed {
            self.say_hello(id, now);
        }
    }

    /// A link ended.
    pub(in crate::ext::reliable) fn link_down(&mut self, id: LinkId, now: Time) {
        if let Some(link) = self.links.remove(&id) {
            self.leave(id, link.state, now);
            self.send_acks(now);
        }
    }

    /// Whoever was at the end of a link is not there any more.
    fn leave(&mut self, id: LinkId, state: State, now: Time) {
        match state {
            State::Contending(key) => {
                if let Some(peer) = self.peers.get_mut(key) {
                    peer.contender = None;
                }
            }
            State::Session(key) => {
                let Some(peer) = self.peers.get_mut(key) else {
                    return;
                };
                peer.links.retain(|other| *other != id);
                if peer.ack_on == Some(id) {
                    peer.ack_on = None;
                }
                if peer.active == Some(id) {
                    self.choose(key, now);
                }
            }
            State::Silent | State::Refused => {}
        }
    }

    /// A frame arrived. What has to be acknowledged is by [`send_acks`](Self::send_acks).
    pub(in crate::ext::reliable) fn frame(&mut self, id: LinkId, message: &Message, now: Time) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let state = link.state;
        let packet = match Packet::read(message) {
            Ok(packet) => packet,
            Err(flaw) => return self.malformed(id, flaw, now),
        };
        if let State::Session(key) = state {
            self.heard(key, now);
        }
        match (packet, state) {
            (Packet::Hello(hello), _) => self.hello_from(id, hello, now),
            (Packet::Refuse(refuse), _) => self.refused(id, refuse.reason, now),
            (Packet::Data(data), State::Session(key)) => self.data(key, id, data, now),
            (Packet::Ack(ack), State::Session(key)) => self.acknowledged(key, id, &ack, now),
            (Packet::Probe(token), State::Session(key)) => self.probed(key, id, token),
            (Packet::Bye, State::Session(_)) => {
                self.leave(id, state, now);
                if let Some(link) = self.links.get_mut(&id) {
                    link.state = State::Silent;
                    link.hello_at = now.after(self.settings.retry);
                    let at = link.hello_at;
                    self.arm(at, Timer::Link(id));
                }
            }
            (Packet::Probe(_), State::Silent) => {
                self.post(id, &Packet::Refuse(Refuse { reason: None }));
            }
            // From before a session, or after: what matters is sent again.
            (Packet::Data(_) | Packet::Ack(_) | Packet::Probe(_) | Packet::Bye, _) => {}
        }
    }

    fn heard(&mut self, key: PeerKey, now: Time) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        peer.last_seen = now;
        if let Some(probe) = &mut peer.probe {
            probe.since = now;
        }
        if let Some(contender) = peer.contender.take() {
            self.reject(contender.link, Refusal::DuplicateIdent, Some(key), now);
        }
    }

    fn malformed(&mut self, id: LinkId, flaw: Flaw, now: Time) {
        let reason = match flaw {
            Flaw::Version(theirs) => Refusal::Version { theirs },
            Flaw::Kind(_) | Flaw::Short | Flaw::Value => Refusal::Protocol,
        };
        let peer = match self.links.get(&id).map(|link| link.state) {
            Some(State::Session(key) | State::Contending(key)) => Some(key),
            _ => None,
        };
        self.reject(id, reason, peer, now);
    }

    /// Ends the session of a link, and says why.
    pub(super) fn reject(&mut self, id: LinkId, reason: Refusal, peer: Option<PeerKey>, now: Time) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut link.state, State::Refused);
        let wait = self.settings.retry * 2_u32.pow(link.refusals.min(5)).min(PATIENCE);
        link.refusals += 1;
        link.hello_at = now.after(wait);
        let (connector, at) = (link.connector, link.hello_at);
        if connector {
            self.arm(at, Timer::Link(id));
        }
        self.leave(id, before, now);
        if before != State::Refused {
            let peer = peer.and_then(|key| self.peers.get(key));
            let peer = peer.map(|peer| peer.ident.clone());
            self.tell(|| Event::Rejected { peer, reason });
            let reason = Some(match reason {
                Refusal::Version { .. } => Refusal::Version { theirs: 0 },
                other => other,
            });
            self.post(id, &Packet::Refuse(Refuse { reason }));
        }
    }

    /// The other end does not talk to us.
    fn refused(&mut self, id: LinkId, reason: Option<Refusal>, now: Time) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        let before = std::mem::replace(&mut link.state, State::Refused);
        let peer = match before {
            State::Session(key) | State::Contending(key) => Some(key),
            _ => None,
        };
        let peer = peer.and_then(|key| self.peers.get(key));
        let peer = peer.map(|peer| peer.ident.clone());
        let connector = link.connector;
        match reason {
            None => link.hello_at = now,
            Some(_) => {
                let wait = self.settings.retry * 2_u32.pow(link.refusals.min(5)).min(PATIENCE);
                link.refusals += 1;
                link.hello_at = now.after(wait);
            }
        }
        let at = link.hello_at;
        if !connector {
            link.state = State::Silent;
        }
        self.leave(id, before, now);
        if let Some(reason) = reason {
            self.tell(|| Event::Refused { peer, reason });
        }
        if connector {
            self.arm(at, Timer::Link(id));
        }
    }

    fn hello_from(&mut self, id: LinkId, hello: Hello, now: Time) {
        if self.closed {
            return;
        }
        if hello.ident == self.me.ident.as_str() {
            return self.reject(id, Refusal::OwnIdent, None, now);
        }
        let Some(key) = self.peer_of(&hello.ident, now) else {
            return self.reject(id, Refusal::TooManyPeers, None, now);
        };
        let state = self.links.get(&id).map(|link| link.state);
        if let Some(State::Session(other)) = state
            && other != key
        {
            return self.reject(id, Refusal::Protocol, Some(other), now);
        }
        let (retry, liveness) = (self.settings.retry, self.settings.liveness);
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let others = peer.links.iter().any(|other| *other != id);
        if others && peer.run != Some(hello.run) {
            if let Some(before) = &mut peer.contender {
                if before.link == id {
                    before.hello = hello;
                } else {
                    // One at a time; it asks again.
                }
                return;
            }
            let until = now.after(liveness);
            peer.contender = Some(Contender {
                link: id,
                hello,
                until,
            });
            let links = peer.links.clone();
            if let Some(link) = self.links.get_mut(&id) {
                link.state = State::Contending(key);
            }
            self.tokens += 1;
            let token = self.tokens;
            for link in links {
                self.post(link, &Packet::Probe(token));
            }
            self.arm(until, Timer::Peer(key));
            self.arm(now.after(retry), Timer::Peer(key));
            return;
        }
        self.welcome(key, id, &hello, now);
    }

    fn welcome(&mut self, key: PeerKey, id: LinkId, hello: &Hello, now: Time) {
        let (Some(peer), Some(link)) = (self.peers.get_mut(key), self.links.get_mut(&id)) else {
            return;
        };
        link.state = State::Session(key);
        link.refusals = 0;
        let restarted = peer.run != Some(hello.run);
        if restarted {
            peer.ack_count = 0;
            for (_, queue) in &mut peer.queues {
                for entry in &mut queue.entries {
                    entry.again |= entry.sent;
                }
            }
        }
        peer.run = Some(hello.run);
        peer.instance = hello.instance;
        peer.max_message = hello.max_message;
        peer.last_seen = now;
        peer.stream(hello.instance).at = now.0;
        if !peer.links.contains(&id) {
            peer.links.push(id);
        }
        let was = peer.active;
        self.forget_streams(key);
        if !hello.answer {
            self.post(id, &self.hello(true));
        }
        if was == Some(id) {
            self.resume(key, now);
        } else {
            self.choose(key, now);
        }
        if was.is_none()
            && let Some(peer) = self.peers.get(key)
        {
            let peer = peer.ident.clone();
            self.tell(|| Event::Connected { peer, restarted });
        }
    }

    /// Takes the best link of a peer.
    fn choose(&mut self, key: PeerKey, now: Time) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        let ours = self.me.ident < peer.ident;
        let mine = |link: &LinkId| self.links.get(link).is_some_and(|link| link.connector);
        let best = peer.links.iter().copied().find(|link| mine(link) == ours);
        let best = best.or(peer.links.first().copied());
        if best == peer.active {
            return;
        }
        let before = std::mem::replace(&mut peer.active, best);
        if best.is_some() {
            self.connected += usize::from(before.is_none());
            return self.resume(key, now);
        }
        self.connected -= 1;
        peer.window = None;
        peer.in_flight = Default::default();
        peer.probe = None;
        for (_, queue) in &mut peer.queues {
            queue.rewind();
        }
        let ident = peer.ident.clone();
        let contender = peer.contender.take();
        self.tell(|| Event::Disconnected { peer: ident });
        self.expire_all(key, now);
        if let Some(contender) = contender {
            self.welcome(key, contender.link, &contender.hello, now);
        }
    }

    /// Begins on another link: what is on its way counts as not sent until the peer has said what it has.
    fn resume(&mut self, key: PeerKey, now: Time) {
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        peer.window = None;
        peer.in_flight = Default::default();
        peer.probe = None;
        peer.progress = now;
        for (_, queue) in &mut peer.queues {
            queue.rewind();
        }
        peer.ack_on = peer.active;
        peer.echo = 0;
        self.owe_ack(key);
        self.watch_peer(key, now);
    }

    fn probed(&mut self, key: PeerKey, id: LinkId, token: u64) {
        if let Some(peer) = self.peers.get_mut(key) {
            peer.echo = token;
            peer.ack_on = Some(id);
            self.owe_ack(key);
        }
    }

    /// Sees to it that the peer's timer runs.
    pub(super) fn watch_peer(&mut self, key: PeerKey, now: Time) {
        let retry = self.settings.retry;
        if let Some(peer) = self.peers.get_mut(key)
            && !peer.timed
        {
            peer.timed = true;
            self.arm(now.after(retry), Timer::Peer(key));
        }
    }

    pub(super) fn peer_timer(&mut self, key: PeerKey, now: Time) {
        let (retry, liveness) = (self.settings.retry, self.settings.liveness);
        let Some(peer) = self.peers.get_mut(key) else {
            return;
        };
        peer.timed = false;
        if let Some(contender) = peer.contender.take_if(|contender| contender.until <= now) {
            // The one before did not answer.
            for link in std::mem::take(&mut peer.links) {
                if let Some(link) = self.links.get_mut(&link) {
                    link.state = State::Refused;
                }
                let reason = Some(Refusal::Replaced);
                self.post(link, &Packet::Refuse(Refuse { reason }));
            }
            self.choose(key, now);
            return self.welcome(key, contender.link, &contender.hello, now);
        }
        let Some(active) = peer.active else {
            return;
        };
        let waits = peer.window.is_none() || peer.queued.messages > peer.delayed;
        if !waits && peer.contender.is_none() {
            peer.probe = None;
            return;
        }
        if now.since(peer.progress) >= retry && waits {
            if let Some(probe) = peer.probe
                && now.since(probe.since) >= liveness
            {
                return self.lost(key, active, now);
            }
            self.tokens += 1;
            let token = self.tokens;
            let since = peer.probe.map_or(now, |probe| probe.since);
            peer.probe = Some(Probe { token, since });
            self.post(active, &Packet::Probe(token));
        }
        self.watch_peer(key, now);
    }

    /// The link is up, but nobody answers.
    fn lost(&mut self, key: PeerKey, active: LinkId, now: Time) {
        self.leave(active, State::Session(key), now);
        let Some(link) = self.links.get_mut(&active) else {
            return;
        };
        link.state = State::Silent;
        if link.connector {
            self.say_hello(active, now);
        } else {
            // It has to say hello again.
            self.post(active, &Packet::Refuse(Refuse { reason: None }));
        }
    }

    /// Says goodbye to everybody.
    pub(in crate::ext::reliable) fn say_bye(&mut self) {
        let active: Vec<_> = self
            .peers
            .iter()
            .flat_map(|(_, peer)| peer.links.clone())
            .collect();
        for link in active {
            self.post(link, &Packet::Bye);
        }
    }
}
