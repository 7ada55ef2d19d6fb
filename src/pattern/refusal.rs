//! Small helpers around what a pattern refuses.
//!
//! Not the types: those belong to the trait's file.

use super::{Control, ControlRefusal, Refusal, SendRefusal};
use crate::config::Options;
use crate::message::Message;
use crate::pipe::Packet;

impl SendRefusal {
    /// A refusal from the packet that a pipe gave back.
    #[cold]
    pub(in crate::pattern) fn of(packet: Packet, why: Refusal) -> Self {
        let message = match packet {
            Packet::Message(message) => message,
            Packet::Subscribe(topic) | Packet::Cancel(topic) => Message::from(topic),
        };
        SendRefusal { message, why }
    }
}

impl Control<'_> {
    /// For patterns that understand changed options and nothing else.
    pub(in crate::pattern) fn only_options(
        self,
        apply: impl FnOnce(&Options),
    ) -> Result<(), ControlRefusal> {
        match self {
            Control::Options(options) => {
                apply(options);
                Ok(())
            }
            Control::Subscribe(_) | Control::Unsubscribe(_) => Err(ControlRefusal::NotSupported),
        }
    }
}
