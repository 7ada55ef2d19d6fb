//! From the first byte to the first message: greeting, downgrade, security mechanism.
//!
//! What it is not: a timer. The caller gives up with [`ProtocolError::HandshakeTimeout`] when its patience ends.
//!
//! ```text
//!   Greeting --11 bytes seen--> send our rest --64 seen--> Commands --mechanism ready--> Done
//!       '-- major 1 or 2: send type number and identity --> Identity --one frame seen-----^
//! ```
//! Invariants:
//! - 11 bytes are sent unasked, so two peers that both wait for the other's version do not deadlock;
//! - what is buffered is bounded: a greeting and one command of at most 64 KiB, beside the caller's own last read;
//! - bytes after the handshake are kept and handed on, however they were cut;
//! - [`Progress::Done`] does not mean that [`Handshake::output`] is empty: it must be written before traffic;
//! - after an error every further call gives the same error.

use bytes::Bytes;

use super::decoder::Decoder;
use super::encoder::Encoder;
use super::error::ProtocolError;
use super::mechanism::{
    CipherPair, LocalProperties, Mechanism, Null, PeerProperties, PlainClient, PlainServer,
};
use super::wire::{
    Command, FrameHeader, Greeting, Greeting3, Version, printable, push_greeting_rest, push_header,
    push_signature,
};
use crate::config::{Security, SocketKind};

/// Largest command of a handshake in bytes.
const MAX_COMMAND: u64 = 64 * 1024;
/// Largest identity frame of a 2.0 peer in bytes.
const MAX_IDENTITY: u64 = 255;
/// How libzmq begins an ERROR command of PLAIN. It means what the RFC says, but in its source, `"\x05ERROR"`, the
/// compiler takes the E for a digit of the escape.
const LIBZMQ_ERROR: &[u8] = b"^RROR";

/// What a handshake needs to know of our side.
#[derive(Clone, Debug)]
pub struct HandshakeConfig {
    /// Kind of our socket.
    pub kind: SocketKind,
    /// Our routing id, 255 bytes at most; empty lets the peer choose.
    pub routing_id: Bytes,
    /// Security mechanism and role.
    pub security: Security,
    /// Further properties for the peer.
    pub metadata: Vec<(String, Bytes)>,
    /// Largest frame we take after the handshake, in bytes; `None` for no limit.
    pub max_message_size: Option<u64>,
    /// Address of the peer, for the authenticator.
    pub peer_address: String,
    /// Domain of authentication; when not empty, peers without security (2.0) are refused.
    pub zap_domain: String,
}

impl HandshakeConfig {
    /// A socket of this kind without routing id, security or limits.
    pub fn new(kind: SocketKind) -> Self {
        HandshakeConfig {
            kind,
            routing_id: Bytes::new(),
            security: Security::Null,
            metadata: Vec::new(),
            max_message_size: None,
            peer_address: String::new(),
            zap_domain: String::new(),
        }
    }

    fn mechanism(&self) -> Box<dyn Mechanism> {
        let local = LocalProperties {
            kind: self.kind,
            routing_id: self.routing_id.clone(),
            metadata: self.metadata.clone(),
        };
        match &self.security {
            Security::Null => Box::new(Null::new(local)),
            Security::PlainClient { username, password } => {
                Box::new(PlainClient::new(local, username.clone(), password.clone()))
            }
            Security::PlainServer { authenticator } => Box::new(PlainServer::new(
                local,
                authenticator.clone(),
                self.zap_domain.clone(),
                self.peer_address.clone(),
            )),
        }
    }
}

/// How far a handshake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes of the peer are needed.
    NeedMore,
    /// Over, and well: write the rest of the output, then call [`Handshake::finish`].
    Done,
}

/// The result of a handshake.
pub struct Established {
    /// The dialect spoken from here on.
    pub version: Version,
    /// What the peer said of itself.
    pub peer: PeerProperties,
    /// How traffic is sealed, if it is.
    pub codec: Option<CipherPair>,
    /// Bytes that came after the handshake: the start of the traffic.
    pub leftover: Vec<u8>,
    /// Whom the authenticator found the peer to be; may be empty.
    pub user_id: String,
    /// Largest frame to take, from the configuration.
    pub max_message_size: Option<u64>,
}

impl Established {
    /// The encoder and decoder for this connection, the leftover already in the decoder.
    pub fn split(self) -> (PeerProperties, Encoder, Decoder) {
        let (sealer, opener) = match self.codec {
            Some(pair) => (Some(pair.sealer), Some(pair.opener)),
            None => (None, None),
        };
        let mut decoder = Decoder::new(self.version, self.max_message_size, opener);
        decoder.feed(&self.leftover);
        (self.peer, Encoder::new(self.version, sealer), decoder)
    }
}

/// One side of a handshake in progress.
pub struct Handshake {
    config: HandshakeConfig,
    mechanism: Box<dyn Mechanism>,
    state: State,
    version: Version,
    inbox: Vec<u8>,
    output: Vec<u8>,
    written: usize,
}

enum State {
    /// Reading the greeting; whether our bytes after the signature were sent.
    Greeting {
        answered: bool,
    },
    /// A 2.0 peer's identity frame is due.
    Identity {
        peer: PeerProperties,
    },
    /// The mechanism speaks.
    Commands,
    /// Done with a 2.0 peer: no mechanism was used.
    DoneV2 {
        peer: PeerProperties,
    },
    /// Done with a 3.x peer.
    Done,
    Failed(ProtocolError),
}

impl Handshake {
    /// A handshake that has its first 11 bytes ready to be sent.
    pub fn new(config: HandshakeConfig) -> Self {
        let mechanism = config.mechanism();
        Self::with_mechanism(config, mechanism)
    }

    /// A handshake with another mechanism than those of [`Security`], which is ignored.
    pub fn with_mechanism(config: HandshakeConfig, mechanism: Box<dyn Mechanism>) -> Self {
        let mut output = Vec::with_capacity(256);
        push_signature(config.routing_id.len(), &mut output);
        Handshake {
            config,
            mechanism,
            state: State::Greeting { answered: false },
            version: Version::V3_1,
            inbox: Vec::new(),
            output,
            written: 0,
        }
    }

    /// Bytes to be written that were not taken yet. To be looked at also after an error: an ERROR command for the
    /// peer may be waiting.
    pub fn output(&mut self) -> &[u8] {
        &self.output[self.written..]
    }

    /// Says that the first `n` bytes of [`Handshake::output`] were written.
    pub fn consume_output(&mut self, n: usize) {
        self.written = (self.written + n).min(self.output.len());
        if self.written == self.output.len() {
            self.output.clear();
            self.written = 0;
        }
    }

    /// Takes bytes of the peer.
    ///
    /// # Errors
    /// The peer does not fit, is refused or broke the protocol.
    pub fn input(&mut self, bytes: &[u8]) -> Result<Progress, ProtocolError> {
        self.inbox.extend_from_slice(bytes);
        match self.run() {
            Ok(true) => Ok(Progress::Done),
            Ok(false) => Ok(Progress::NeedMore),
            Err(error) => {
                self.state = State::Failed(error.clone());
                self.inbox = Vec::new();
                Err(error)
            }
        }
    }

    /// The result.
    ///
    /// # Errors
    /// [`ProtocolError::HandshakeIncomplete`] before [`Progress::Done`], or what the handshake failed with.
    pub fn finish(self) -> Result<Established, ProtocolError> {
        let (peer, user_id, codec) = match self.state {
            State::DoneV2 { peer } => (peer, String::new(), None),
            State::Done => {
                let agreed = self.mechanism.finish();
                (agreed.peer, agreed.user_id, agreed.cipher)
            }
            State::Failed(error) => return Err(error),
            _ => return Err(ProtocolError::HandshakeIncomplete),
        };
        Ok(Established {
            version: self.version,
            peer,
            codec,
            leftover: self.inbox,
            user_id,
            max_message_size: self.config.max_message_size,
        })
    }

    /// Takes as many steps as the bytes allow; true when the handshake is over.
    fn run(&mut self) -> Result<bool, ProtocolError> {
        loop {
            let moved = match &self.state {
                State::Greeting { answered } => self.read_greeting(*answered)?,
                State::Identity { .. } => self.read_identity()?,
                State::Commands => self.read_command()?,
                State::DoneV2 { .. } | State::Done => return Ok(true),
                State::Failed(error) => return Err(error.clone()),
            };
            if !moved {
                return Ok(false);
            }
        }
    }

    fn read_greeting(&mut self, answered: bool) -> Result<bool, ProtocolError> {
        let greeting = Greeting::parse(&self.inbox)?;
        match greeting {
            Greeting::Unknown => return Ok(false),
            Greeting::V2(_) if !answered => self.answer_v2()?,
            Greeting::V3(_) if !answered => {
                let mechanism = &self.mechanism;
                push_greeting_rest(mechanism.name(), mechanism.as_server(), &mut self.output);
            }
            Greeting::V2(None) | Greeting::V3(None) => return Ok(false),
            Greeting::V2(Some(number)) => {
                let peer = PeerProperties::from_v2(self.config.kind, number)?;
                self.inbox.drain(..greeting.byte_len());
                self.version = Version::V2_0;
                self.state = State::Identity { peer };
                return Ok(true);
            }
            Greeting::V3(Some(fields)) => {
                self.check_greeting(fields)?;
                self.inbox.drain(..greeting.byte_len());
                self.state = State::Commands;
                self.speak();
                return Ok(true);
            }
        }
        self.state = State::Greeting { answered: true };
        Ok(true)
    }

    /// ZMTP 2.0: the number of our socket type, then our identity as a frame; there is no security to agree on.
    fn answer_v2(&mut self) -> Result<(), ProtocolError> {
        if self.mechanism.name() != "NULL" || !self.config.zap_domain.is_empty() {
            return Err(ProtocolError::DowngradeRefused);
        }
        self.output.push(self.config.kind.number());
        push_header(0, self.config.routing_id.len(), &mut self.output);
        self.output.extend_from_slice(&self.config.routing_id);
        Ok(())
    }

    fn check_greeting(&mut self, fields: Greeting3) -> Result<(), ProtocolError> {
        let ours = self.mechanism.name();
        let mut expected = [0; 20];
        for (place, byte) in expected.iter_mut().zip(ours.bytes()) {
            *place = byte;
        }
        if fields.mechanism != expected {
            let end = fields.mechanism.iter().rposition(|byte| *byte != 0);
            let theirs = printable(&fields.mechanism[..end.map_or(0, |last| last + 1)]);
            return Err(ProtocolError::MechanismMismatch { ours, theirs });
        }
        if !fields.at_least_3_1 {
            self.version = Version::V3_0;
        }
        Ok(())
    }

    fn read_identity(&mut self) -> Result<bool, ProtocolError> {
        let Some(header) = FrameHeader::parse(&self.inbox)? else {
            return Ok(false);
        };
        if header.more || header.command {
            return Err(ProtocolError::BadIdentityFrame(self.inbox[0]));
        }
        if header.size > MAX_IDENTITY {
            return Err(ProtocolError::RoutingIdTooLong(header.size as usize));
        }
        let end = header.len + header.size as usize;
        let Some(identity) = self.inbox.get(header.len..end) else {
            return Ok(false);
        };
        let routing_id = Bytes::copy_from_slice(identity);
        if let State::Identity { peer } = &self.state {
            let peer = PeerProperties {
                routing_id,
                ..peer.clone()
            };
            self.state = State::DoneV2 { peer };
        }
        self.inbox.drain(..end);
        Ok(true)
    }

    fn read_command(&mut self) -> Result<bool, ProtocolError> {
        let Some((body, end)) = Command::body_at(&self.inbox, MAX_COMMAND)? else {
            return Ok(false);
        };
        let command = match body.strip_prefix(LIBZMQ_ERROR) {
            Some(data) => Command {
                name: b"ERROR",
                data,
            },
            None => Command::parse(body)?,
        };
        if command.name == b"ERROR" {
            let reason = command.error_reason()?;
            return Err(ProtocolError::PeerError { reason });
        }
        let result = self.mechanism.handle_command(body);
        self.speak();
        result?;
        self.inbox.drain(..end);
        Ok(true)
    }

    /// Lets the mechanism say all it has to say now, and notes when it is done.
    fn speak(&mut self) {
        while self.mechanism.next_command(&mut self.output) {}
        if self.mechanism.is_ready() {
            self.state = State::Done;
        }
    }
}
