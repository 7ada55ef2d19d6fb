//! PLAIN (RFC 24): user name and password in clear text. Roles come from the options, not from bind and connect.
//!
//! ```text
//!   client                                    server
//!     HELLO user password      ------------>  asks the authenticator
//!                              <------------  WELCOME       | ERROR "400", "500" | closes in silence
//!     INITIATE properties      ------------>
//!                              <------------  READY properties
//! ```

use std::sync::Arc;

use super::mechanism::{Agreement, Mechanism};
use super::peer::{LocalProperties, PeerProperties};
use crate::config::{AuthRequest, Authenticator, Credentials, Verdict};
use crate::zmtp::error::ProtocolError;
use crate::zmtp::wire::{Command, push_error, push_named};

const NAME: &str = "PLAIN";
/// Status for a refusal that is not explained to the peer.
const DENIED: u16 = 300;

/// The side that shows a user name and a password.
pub struct PlainClient {
    local: LocalProperties,
    username: String,
    password: String,
    state: ClientState,
    peer: Option<PeerProperties>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ClientState {
    SendHello,
    AwaitWelcome,
    SendInitiate,
    AwaitReady,
    Ready,
}

impl PlainClient {
    /// A client with these credentials (255 bytes each at most; longer ones are cut, and refused by the server).
    pub fn new(local: LocalProperties, username: String, password: String) -> Self {
        PlainClient {
            local,
            username,
            password,
            state: ClientState::SendHello,
            peer: None,
        }
    }
}

impl Mechanism for PlainClient {
    fn name(&self) -> &'static str {
        NAME
    }

    fn as_server(&self) -> bool {
        false
    }

    fn next_command(&mut self, out: &mut Vec<u8>) -> bool {
        let mut data = Vec::new();
        match self.state {
            ClientState::SendHello => {
                push_short(&self.username, &mut data);
                push_short(&self.password, &mut data);
                push_named("HELLO", &data, out);
                self.state = ClientState::AwaitWelcome;
            }
            ClientState::SendInitiate => {
                self.local.push(&mut data);
                push_named("INITIATE", &data, out);
                self.state = ClientState::AwaitReady;
            }
            _ => return false,
        }
        true
    }

    fn handle_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        let command = Command::parse(body)?;
        match (self.state, command.name) {
            (ClientState::AwaitWelcome, b"WELCOME") => {
                no_rest("WELCOME", command.data)?;
                self.state = ClientState::SendInitiate;
            }
            (ClientState::AwaitReady, b"READY") => {
                let peer = PeerProperties::read(self.local.kind, NAME, "READY", command.data)?;
                self.peer = Some(peer);
                self.state = ClientState::Ready;
            }
            (ClientState::AwaitReady, _) => return Err(command.unexpected("READY")),
            _ => return Err(command.unexpected("WELCOME")),
        }
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.state == ClientState::Ready
    }

    fn finish(self: Box<Self>) -> Agreement {
        Agreement {
            peer: self.peer.unwrap_or_else(|| PeerProperties::unknown(NAME)),
            user_id: String::new(),
            cipher: None,
        }
    }
}

/// The side that asks for a user name and a password.
pub struct PlainServer {
    local: LocalProperties,
    authenticator: Arc<dyn Authenticator>,
    domain: String,
    peer_address: String,
    state: ServerState,
    peer: Option<PeerProperties>,
    user_id: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ServerState {
    AwaitHello,
    SendWelcome,
    AwaitInitiate,
    SendReady,
    Ready,
    SendError(&'static str),
    Failed,
}

impl PlainServer {
    /// A server that asks `authenticator`, giving it `domain` and `peer_address`.
    pub fn new(
        local: LocalProperties,
        authenticator: Arc<dyn Authenticator>,
        domain: String,
        peer_address: String,
    ) -> Self {
        PlainServer {
            local,
            authenticator,
            domain,
            peer_address,
            state: ServerState::AwaitHello,
            peer: None,
            user_id: String::new(),
        }
    }

    fn handle_hello(&mut self, data: &[u8]) -> Result<(), ProtocolError> {
        let (username, rest) = split_short(data)?;
        let (password, rest) = split_short(rest)?;
        no_rest("HELLO", rest)?;
        let mut request = AuthRequest::new(Credentials::Plain { username, password });
        request.domain = &self.domain;
        request.peer_address = &self.peer_address;
        let status = match self.authenticator.authenticate(&request) {
            Verdict::Accept { user_id } => {
                self.user_id = user_id;
                self.state = ServerState::SendWelcome;
                return Ok(());
            }
            Verdict::Reject { status, .. } => {
                self.state = ServerState::SendError(status.digits());
                status.code()
            }
            // RFC 27: 300 is a temporary failure; the connection closes without an ERROR.
            _ => {
                self.state = ServerState::Failed;
                DENIED
            }
        };
        Err(ProtocolError::AccessDenied { status })
    }
}

impl Mechanism for PlainServer {
    fn name(&self) -> &'static str {
        NAME
    }

    fn as_server(&self) -> bool {
        true
    }

    fn next_command(&mut self, out: &mut Vec<u8>) -> bool {
        match self.state {
            ServerState::SendWelcome => {
                push_named("WELCOME", &[], out);
                self.state = ServerState::AwaitInitiate;
            }
            ServerState::SendReady => {
                let mut properties = Vec::new();
                self.local.push(&mut properties);
                push_named("READY", &properties, out);
                self.state = ServerState::Ready;
            }
            ServerState::SendError(reason) => {
                push_error(reason, out);
                self.state = ServerState::Failed;
            }
            _ => return false,
        }
        true
    }

    fn handle_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        let command = Command::parse(body)?;
        match (self.state, command.name) {
            (ServerState::AwaitHello, b"HELLO") => self.handle_hello(command.data),
            (ServerState::AwaitInitiate, b"INITIATE") => {
                let kind = self.local.kind;
                self.peer = Some(PeerProperties::read(kind, NAME, "INITIATE", command.data)?);
                self.state = ServerState::SendReady;
                Ok(())
            }
            (ServerState::AwaitInitiate, _) => Err(command.unexpected("INITIATE")),
            _ => Err(command.unexpected("HELLO")),
        }
    }

    fn is_ready(&self) -> bool {
        self.state == ServerState::Ready
    }

    fn finish(self: Box<Self>) -> Agreement {
        Agreement {
            peer: self.peer.unwrap_or_else(|| PeerProperties::unknown(NAME)),
            user_id: self.user_id,
            cipher: None,
        }
    }
}

/// `len(1) text`, cut at 255 bytes.
fn push_short(text: &str, out: &mut Vec<u8>) {
    let text = &text.as_bytes()[..text.len().min(255)];
    out.push(text.len() as u8);
    out.extend_from_slice(text);
}

fn split_short(data: &[u8]) -> Result<(&[u8], &[u8]), ProtocolError> {
    let truncated = ProtocolError::TruncatedCommand { command: "HELLO" };
    let (&len, rest) = data.split_first().ok_or(truncated.clone())?;
    rest.split_at_checked(usize::from(len)).ok_or(truncated)
}

fn no_rest(command: &'static str, rest: &[u8]) -> Result<(), ProtocolError> {
    match rest.len() {
        0 => Ok(()),
        count => Err(ProtocolError::TrailingBytes { command, count }),
    }
}
