//! NULL: both sides send READY at once, nobody proves anything.

use super::mechanism::{Agreement, Mechanism};
use super::peer::{LocalProperties, PeerProperties};
use crate::zmtp::error::ProtocolError;
use crate::zmtp::wire::{Command, push_named};

/// Either side of the NULL mechanism.
pub struct Null {
    local: LocalProperties,
    sent: bool,
    peer: Option<PeerProperties>,
}

impl Null {
    /// A side that will announce `local`.
    pub fn new(local: LocalProperties) -> Self {
        Null {
            local,
            sent: false,
            peer: None,
        }
    }
}

impl Mechanism for Null {
    fn name(&self) -> &'static str {
        "NULL"
    }

    fn as_server(&self) -> bool {
        false
    }

    fn next_command(&mut self, out: &mut Vec<u8>) -> bool {
        if self.sent {
            return false;
        }
        let mut properties = Vec::new();
        self.local.push(&mut properties);
        push_named("READY", &properties, out);
        self.sent = true;
        true
    }

    fn handle_command(&mut self, body: &[u8]) -> Result<(), ProtocolError> {
        let command = Command::parse(body)?;
        if command.name != b"READY" || self.peer.is_some() {
            return Err(command.unexpected("READY"));
        }
        let peer = PeerProperties::read(self.local.kind, "NULL", "READY", command.data)?;
        self.peer = Some(peer);
        Ok(())
    }

    fn is_ready(&self) -> bool {
        self.sent && self.peer.is_some()
    }

    fn finish(self: Box<Self>) -> Agreement {
        Agreement {
            peer: self.peer.unwrap_or_else(|| PeerProperties::unknown("NULL")),
            user_id: String::new(),
            cipher: None,
        }
    }
}
