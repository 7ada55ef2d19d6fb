//! The way to one peer: a socket and, on a ROUTER, the peer's routing id.

use crate::ext::rpc::model::Payload;
use crate::message::{Frame, Message};
use crate::socket::{SendError, SendErrorKind, Socket, kind};

#[derive(Clone)]
pub(in crate::ext::rpc) struct Outgoing {
    pub(in crate::ext::rpc) socket: Socket<kind::Any>,
    pub(in crate::ext::rpc) to: Option<Frame>,
}

impl Outgoing {
    /// The peer's routing id; empty on links with one peer.
    pub(in crate::ext::rpc) fn peer(&self) -> &[u8] {
        self.to.as_deref().unwrap_or_default()
    }

    /// A message for this peer.
    pub(in crate::ext::rpc) fn message(&self, envelope: Vec<u8>, attachments: &[Frame]) -> Message {
        let mut message = match &self.to {
            Some(to) => {
                let mut message = Message::from(to.clone());
                message.push_back(envelope);
                message
            }
            None => Message::from(Frame::from(envelope)),
        };
        for attachment in attachments {
            message.push_back(attachment.clone());
        }
        message
    }

    /// Sends without waiting.
    pub(in crate::ext::rpc) fn try_send(&self, message: Message) -> Result<(), SendError> {
        self.socket.try_send(message)
    }

    /// Sends, waiting for room.
    pub(in crate::ext::rpc) async fn send(&self, message: Message) -> Result<(), SendError> {
        match self.socket.try_send(message) {
            Err(refused) if refused.kind() == SendErrorKind::WouldBlock => {
                self.socket.send(refused.into_message()).await
            }
            sent => sent,
        }
    }

    /// Sends something small that may be lost with the link, in a task of its own if there is no room now.
    pub(in crate::ext::rpc) fn send_soon(&self, envelope: Vec<u8>) {
        let message = self.message(envelope, &[]);
        if let Err(refused) = self.try_send(message)
            && refused.kind() == SendErrorKind::WouldBlock
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let way = self.clone();
            runtime.spawn(async move {
                // Only fails when the link is gone, and the stream or call with it.
                let _ = way.socket.send(refused.into_message()).await;
            });
        }
    }

    pub(in crate::ext::rpc) fn payload(&self, envelope: Vec<u8>, payload: &Payload) -> Message {
        self.message(envelope, &payload.attachments)
    }
}
