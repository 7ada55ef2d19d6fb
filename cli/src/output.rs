//! Messages to stdout.
//!
//! Writing happens on a thread that may block, so that an interrupt is heard while nobody reads the other end
//! of a pipe. Every call ends with the bytes handed to the system: nothing waits in a buffer for the next one.

use std::io::{self, Write};

use taipan::Message;

use crate::failure::Failure;
use crate::frames::Codec;

/// Writes messages to stdout.
pub struct Output {
    codec: Codec,
    bytes: Vec<u8>,
}

impl Output {
    /// An output in the format of `codec`.
    pub fn new(codec: Codec) -> Output {
        Output {
            codec,
            bytes: Vec::new(),
        }
    }

    /// Writes messages, all of them or an error.
    pub async fn write(&mut self, messages: &[Message]) -> Result<(), Failure> {
        for message in messages {
            self.codec.encode(message, &mut self.bytes);
        }
        let bytes = std::mem::take(&mut self.bytes);
        let written = tokio::task::spawn_blocking(move || {
            let mut stdout = io::stdout().lock();
            stdout
                .write_all(&bytes)
                .and_then(|()| stdout.flush())
                .map(|()| bytes)
        });
        let mut bytes = written
            .await
            .map_err(|error| Failure::because("stdout", error))?
            .map_err(Failure::output)?;
        bytes.clear();
        self.bytes = bytes;
        Ok(())
    }
}
