//! Handshake, decoder, encoder and heartbeat tied together: one end of a connection without its socket.
//!
//! For tests, fuzzing and as worked example of how the parts fit; a transport uses the parts themselves, because it
//! keeps the encoder and the decoder behind different locks.
//!
//! ```text
//!   input(bytes, now) --> next_event()          send(message) --> output() / consume_output(n)
//!   poll(now) at next_deadline()
//! ```

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::error::ProtocolError;
use super::handshake::{Established, Handshake, HandshakeConfig, Progress};
use super::heartbeat::{Beat, Heartbeat};
use super::inbound::Inbound;
use super::mechanism::PeerProperties;
use super::outbox::Outbox;
use super::wire::Version;
use crate::message::Message;

/// What happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The handshake is over.
    Ready {
        /// The dialect spoken.
        version: Version,
        /// What the peer said of itself.
        peer: PeerProperties,
        /// Whom the authenticator found the peer to be.
        user_id: String,
    },
    /// Something came; PING and PONG are dealt with and do not show.
    Inbound(Inbound),
}

/// Heartbeat settings, as in the options of a socket.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beats {
    /// Time between two PINGs; `None` for never.
    pub interval: Option<Duration>,
    /// Promise to the peer; `None` for none.
    pub ttl: Option<Duration>,
    /// Patience for an answer; `None` for the interval.
    pub timeout: Option<Duration>,
}

/// One end of a connection.
pub struct Engine {
    beats: Beats,
    stage: Stage,
    outbox: Outbox,
    events: VecDeque<Event>,
    failed: Option<ProtocolError>,
}

enum Stage {
    Handshake(Box<Handshake>),
    Traffic(Box<Traffic>),
    Over,
}

struct Traffic {
    encoder: Encoder,
    decoder: Decoder,
    heartbeat: Option<Heartbeat>,
}

impl Engine {
    /// An end that is about to greet.
    pub fn new(config: HandshakeConfig, beats: Beats) -> Self {
        Self::with_handshake(Handshake::new(config), beats)
    }

    /// An end with this handshake.
    pub fn with_handshake(handshake: Handshake, beats: Beats) -> Self {
        Engine {
            beats,
            stage: Stage::Handshake(Box::new(handshake)),
            outbox: Outbox::new(),
            events: VecDeque::new(),
            failed: None,
        }
    }

    /// Takes bytes of the peer.
    ///
    /// # Errors
    /// The connection is over. [`Engine::output`] may still hold an ERROR command.
    pub fn input(&mut self, bytes: &[u8], now: Instant) -> Result<(), ProtocolError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let result = match &mut self.stage {
            Stage::Handshake(handshake) => handshake.input(bytes),
            Stage::Traffic(traffic) => {
                traffic.decoder.feed(bytes);
                if let Some(heartbeat) = &mut traffic.heartbeat
                    && !bytes.is_empty()
                {
                    heartbeat.on_traffic(now);
                }
                Ok(Progress::NeedMore)
            }
            Stage::Over => Ok(Progress::NeedMore),
        };
        result
            .and_then(|progress| match progress {
                Progress::Done => self.enter_traffic(now),
                Progress::NeedMore => Ok(()),
            })
            .and_then(|()| self.decode(now))
            .map_err(|error| self.fail(error))
    }

    /// Does what is due at `now`.
    ///
    /// # Errors
    /// The peer fell silent; the connection is over.
    pub fn poll(&mut self, now: Instant) -> Result<(), ProtocolError> {
        let Stage::Traffic(traffic) = &mut self.stage else {
            return Ok(());
        };
        let Some(heartbeat) = &mut traffic.heartbeat else {
            return Ok(());
        };
        match heartbeat.poll(now) {
            Beat::Idle => Ok(()),
            Beat::SendPing => {
                let ttl = heartbeat.ttl();
                traffic.encoder.ping(ttl, b"", &mut self.outbox);
                Ok(())
            }
            Beat::Dead(error) => Err(self.fail(error)),
        }
    }

    /// When to call [`Engine::poll`] next.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.stage {
            Stage::Traffic(traffic) => traffic.heartbeat.as_ref()?.next_deadline(),
            _ => None,
        }
    }

    /// What happened since, the oldest first.
    pub fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends a message; false (and nothing sent) before the handshake is over.
    pub fn send(&mut self, message: &Message) -> bool {
        self.encode(|encoder, outbox| encoder.message(message, outbox))
    }

    /// Encodes anything with the connection's encoder; false before the handshake is over.
    pub fn encode(&mut self, write: impl FnOnce(&mut Encoder, &mut Outbox)) -> bool {
        match &mut self.stage {
            Stage::Traffic(traffic) => {
                write(&mut traffic.encoder, &mut self.outbox);
                true
            }
            _ => false,
        }
    }

    /// Bytes to be written next; call again after [`Engine::consume_output`] until it is empty.
    pub fn output(&mut self) -> &[u8] {
        match &mut self.stage {
            Stage::Handshake(handshake) => handshake.output(),
            _ => self.outbox.first_chunk(),
        }
    }

    /// Says that `n` bytes of [`Engine::output`] were written.
    pub fn consume_output(&mut self, n: usize) {
        match &mut self.stage {
            Stage::Handshake(handshake) => handshake.consume_output(n),
            _ => self.outbox.advance(n),
        }
    }

    fn enter_traffic(&mut self, now: Instant) -> Result<(), ProtocolError> {
        let Stage::Handshake(mut handshake) = std::mem::replace(&mut self.stage, Stage::Over)
        else {
            return Ok(());
        };
        let greeting = handshake.output().to_vec();
        self.outbox
            .push_command(|out| out.extend_from_slice(&greeting));
        let established: Established = handshake.finish()?;
        let (version, user_id) = (established.version, established.user_id.clone());
        let (peer, encoder, decoder) = established.split();
        let beats = self.beats;
        let heartbeat = version
            .has_heartbeat()
            .then(|| Heartbeat::new(beats.interval, beats.ttl, beats.timeout, now));
        self.events.push_back(Event::Ready {
            version,
            peer,
            user_id,
        });
        self.stage = Stage::Traffic(Box::new(Traffic {
            encoder,
            decoder,
            heartbeat,
        }));
        Ok(())
    }

    fn decode(&mut self, now: Instant) -> Result<(), ProtocolError> {
        let Stage::Traffic(traffic) = &mut self.stage else {
            return Ok(());
        };
        while let Some(inbound) = traffic.decoder.next()? {
            match inbound {
                Inbound::Ping { ttl, context } => {
                    if let Some(heartbeat) = &mut traffic.heartbeat {
                        heartbeat.on_ping(ttl, now);
                    }
                    traffic.encoder.pong(&context, &mut self.outbox);
                }
                Inbound::Pong { .. } | Inbound::Unknown => {}
                Inbound::Error(reason) => return Err(ProtocolError::PeerError { reason }),
                other => self.events.push_back(Event::Inbound(other)),
            }
        }
        Ok(())
    }

    fn fail(&mut self, error: ProtocolError) -> ProtocolError {
        self.failed = Some(error.clone());
        if let Stage::Handshake(handshake) = &mut self.stage {
            let last = handshake.output().to_vec();
            self.outbox.push_command(|out| out.extend_from_slice(&last));
        }
        self.stage = Stage::Over;
        error
    }
}
