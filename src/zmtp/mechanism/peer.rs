//! What both sides say of themselves in READY and INITIATE, and whether they fit together.

use bytes::Bytes;

use crate::config::SocketKind;
use crate::zmtp::error::ProtocolError;
use crate::zmtp::wire::{Metadata, printable, push_property};

/// Longest routing id in bytes.
const MAX_ROUTING_ID: usize = 255;

/// What we say of ourselves.
#[derive(Clone, Debug)]
pub struct LocalProperties {
    /// Kind of our socket.
    pub kind: SocketKind,
    /// Our routing id; empty lets the peer choose one.
    pub routing_id: Bytes,
    /// Further properties, sent as they are.
    pub metadata: Vec<(String, Bytes)>,
}

impl LocalProperties {
    /// Appends all properties in libzmq's order: Socket-Type, Identity, then ours.
    pub fn push(&self, out: &mut Vec<u8>) {
        push_property("Socket-Type", self.kind.name().as_bytes(), out);
        // libzmq sends Identity, even empty, for these three; the example in RFC 37 leaves ROUTER out.
        if matches!(
            self.kind,
            SocketKind::Req | SocketKind::Dealer | SocketKind::Router
        ) {
            push_property("Identity", &self.routing_id, out);
        }
        for (name, value) in &self.metadata {
            push_property(name, value, out);
        }
    }
}

/// What the peer said of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerProperties {
    /// Kind of the peer's socket; `None` when it did not say (libzmq lets that pass, so do we).
    pub kind: Option<SocketKind>,
    /// Routing id the peer wants; may be empty.
    pub routing_id: Bytes,
    /// All properties, the two above included.
    pub metadata: Metadata,
    /// Name of the security mechanism.
    pub mechanism: &'static str,
}

impl PeerProperties {
    /// Nothing known yet.
    pub fn unknown(mechanism: &'static str) -> Self {
        PeerProperties {
            kind: None,
            routing_id: Bytes::new(),
            metadata: Metadata::default(),
            mechanism,
        }
    }

    /// Reads the properties at the end of `command` and checks that the peer fits `ours`.
    ///
    /// # Errors
    /// Malformed metadata, a routing id over 255 bytes, a kind of socket that ours does not talk to.
    pub fn read(
        ours: SocketKind,
        mechanism: &'static str,
        command: &'static str,
        properties: &[u8],
    ) -> Result<Self, ProtocolError> {
        let metadata = Metadata::parse(command, properties)?;
        let kind = match metadata.get("Socket-Type") {
            Some(name) => Some(check_kind(ours, SocketKind::from_name(name), || {
                printable(name)
            })?),
            None => None,
        };
        let routing_id = metadata.get("Identity").cloned().unwrap_or_default();
        if routing_id.len() > MAX_ROUTING_ID {
            return Err(ProtocolError::RoutingIdTooLong(routing_id.len()));
        }
        Ok(PeerProperties {
            kind,
            routing_id,
            metadata,
            mechanism,
        })
    }

    /// The properties of a 2.0 peer, which says only its number and its identity.
    ///
    /// # Errors
    /// An unknown number, or a kind of socket that ours does not talk to.
    pub fn from_v2(ours: SocketKind, number: u8) -> Result<Self, ProtocolError> {
        let kind = check_kind(ours, SocketKind::from_number(number), || number.to_string())?;
        Ok(PeerProperties {
            kind: Some(kind),
            ..PeerProperties::unknown("NULL")
        })
    }
}

fn check_kind(
    ours: SocketKind,
    theirs: Option<SocketKind>,
    name: impl FnOnce() -> String,
) -> Result<SocketKind, ProtocolError> {
    match theirs {
        Some(kind) if ours.accepts(kind) => Ok(kind),
        _ => Err(ProtocolError::IncompatibleSocket {
            ours: ours.name(),
            theirs: name(),
        }),
    }
}
