//! Messages from stdin.
//!
//! A thread of its own reads and decodes, because a read from a terminal or a pipe cannot be cancelled; it
//! hands over batches, and is left behind when the program ends. A batch is what one read brought, so that a
//! typed line goes out at once and a file in few steps.
//!
//! ```text
//!   stdin ─► thread: read, cut into records, decode ─► channel (4 batches) ─► Input::next
//! ```

use std::collections::VecDeque;
use std::io::{self, Read};

use taipan::Message;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::frames::Codec;

/// Bytes asked of the system at once.
const CHUNK: usize = 64 * 1024;

/// Batches that are read ahead.
const AHEAD: usize = 4;

type Batch = Result<VecDeque<Message>, Failure>;

/// The messages of stdin, in order.
pub struct Input {
    batches: mpsc::Receiver<Batch>,
    current: VecDeque<Message>,
}

impl Input {
    /// Starts to read stdin.
    pub fn start(codec: Codec) -> io::Result<Input> {
        let (sender, batches) = mpsc::channel(AHEAD);
        std::thread::Builder::new()
            .name("stdin".into())
            .spawn(move || read(io::stdin().lock(), codec, &sender))?;
        Ok(Input {
            batches,
            current: VecDeque::new(),
        })
    }

    /// The next message, or `None` at the end of the input. Cancel safe.
    pub async fn next(&mut self) -> Result<Option<Message>, Failure> {
        loop {
            if let Some(message) = self.current.pop_front() {
                return Ok(Some(message));
            }
            match self.batches.recv().await {
                Some(batch) => self.current = batch?,
                None => return Ok(None),
            }
        }
    }
}

fn read(mut source: impl Read, codec: Codec, batches: &mpsc::Sender<Batch>) {
    let mut records = Records {
        codec,
        bytes: Vec::new(),
        number: 0,
    };
    let mut chunk = vec![0; CHUNK];
    loop {
        let batch = match source.read(&mut chunk) {
            Ok(0) => {
                // Nobody waits for it any more if this fails.
                let _ = batches.blocking_send(records.finish());
                return;
            }
            Ok(length) => records.take(&chunk[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Err(Failure::because("stdin", error)),
        };
        let failed = batch.is_err();
        if batches.blocking_send(batch).is_err() || failed {
            return;
        }
    }
}

/// Cuts a stream of bytes into messages.
struct Records {
    codec: Codec,
    bytes: Vec<u8>,
    number: u64,
}

impl Records {
    fn take(&mut self, chunk: &[u8]) -> Batch {
        let mut searched = self.bytes.len();
        self.bytes.extend_from_slice(chunk);
        let mut batch = VecDeque::new();
        let mut at = 0;
        while let Some(end) = self.codec.record_end(&self.bytes[at..], searched) {
            batch.extend(self.decode(at, at + end)?);
            at += end;
            searched = 0;
        }
        self.bytes.drain(..at);
        Ok(batch)
    }

    fn finish(&mut self) -> Batch {
        if self.bytes.is_empty() {
            return Ok(VecDeque::new());
        }
        if !self.codec.accepts_rest() {
            return Err(Failure::Runtime("stdin ends within a message".into()));
        }
        Ok(self.decode(0, self.bytes.len())?.into_iter().collect())
    }

    fn decode(&mut self, from: usize, to: usize) -> Result<Option<Message>, Failure> {
        self.number += 1;
        let decoded = self.codec.decode(&self.bytes[from..to]);
        decoded.map_err(|why| Failure::Runtime(format!("stdin, record {}: {why}", self.number)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frames::Format;
    use taipan::SocketKind;

    fn records(format: Format) -> Records {
        Records {
            codec: Codec::new(format, SocketKind::Push),
            bytes: Vec::new(),
            number: 0,
        }
    }

    #[test]
    fn records_may_come_in_pieces() {
        let mut records = records(Format::Lines);
        assert_eq!(records.take(b"one\ntw").unwrap(), ["one"]);
        assert_eq!(records.take(b"o\nthree\nfo").unwrap(), ["two", "three"]);
        assert_eq!(records.take(b"u").unwrap(), [""; 0]);
        assert_eq!(records.finish().unwrap(), ["fou"]);
    }

    #[test]
    fn a_cut_message_is_an_error_that_names_it() {
        let mut delimited = records(Format::Delimited);
        assert_eq!(delimited.take(b"\0\0\0\x01\0\0\0\x01a\0\0").unwrap(), ["a"]);
        assert_eq!(
            delimited.finish().unwrap_err().to_string(),
            "stdin ends within a message"
        );
        let mut json = records(Format::Json);
        let error = json.take(b"[\"a\"]\n{\n").unwrap_err();
        assert!(
            error.to_string().starts_with("stdin, record 2: not JSON"),
            "{error}"
        );
    }
}
