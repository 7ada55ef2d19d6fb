//! Messages as bytes on stdin and stdout, in three formats.
//!
//! What it is not: reading and writing (`input.rs`, `output.rs`); everything here works on bytes in memory,
//! and nothing that an input announces is allocated before it is there.
//!
//! - **lines**: a message is a line. On output the frames of a message are separated by tabs. Input lines are
//!   messages of one frame, except for ROUTER, where tabs separate frames so that the first names the peer. A
//!   ROUTER's id that is not printable is written as `0x` and hexadecimal digits, and read in that form too.
//!   For people: frames that contain tabs or line ends do not survive it.
//! - **delimited**: exact for any bytes. All numbers are unsigned, 4 bytes, big-endian:
//!
//! ```text
//!   | frame count n >= 1 | length 1 | bytes 1 ... | length 2 | bytes 2 ... |  up to n
//! ```
//!
//! - **json**: a message is an array of strings on a line, one a frame; a frame that is not UTF-8 is
//!   `{"base64": "..."}` (standard alphabet, padded). A single string is read as a message of one frame.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use serde_json::{Value, json};
use taipan::{Frame, Message, SocketKind};

/// How messages are written on stdin and stdout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A line a message; frames are separated by tabs on output.
    Lines,
    /// Big-endian 4-byte numbers: frame count, then length and bytes of each frame.
    Delimited,
    /// An array of strings a line; frames that are not UTF-8 as {"base64": ".."}.
    Json,
}

/// A format as one kind of socket uses it.
#[derive(Clone, Copy, Debug)]
pub struct Codec {
    format: Format,
    /// The first frame is a routing id, and tabs in lines separate frames.
    routed: bool,
}

impl Codec {
    /// The codec of a socket.
    pub fn new(format: Format, kind: SocketKind) -> Codec {
        Codec {
            format,
            routed: kind == SocketKind::Router,
        }
    }

    /// Where the first record in `bytes` ends, if all of it is there. The first `searched` bytes are known
    /// not to hold all of it.
    pub fn record_end(self, bytes: &[u8], searched: usize) -> Option<usize> {
        match self.format {
            Format::Lines | Format::Json => {
                let rest = bytes.get(searched..)?;
                Some(searched + rest.iter().position(|byte| *byte == b'\n')? + 1)
            }
            Format::Delimited => {
                let count = number(bytes, 0)?;
                let mut end = 4;
                for _ in 0..count {
                    end += 4 + number(bytes, end)?;
                }
                (end <= bytes.len()).then_some(end)
            }
        }
    }

    /// Whether `bytes`, which the input ended with, are a record although they are not closed by a line end.
    pub fn accepts_rest(self) -> bool {
        self.format != Format::Delimited
    }

    /// The message of one whole record; `None` for an empty line of JSON.
    pub fn decode(self, record: &[u8]) -> Result<Option<Message>, String> {
        match self.format {
            Format::Lines => {
                let line = record.strip_suffix(b"\n").unwrap_or(record);
                if !self.routed {
                    return Ok(Some(Message::from(line)));
                }
                let mut frames: Vec<Frame> =
                    line.split(|byte| *byte == b'\t').map(Frame::from).collect();
                frames[0] = read_id(&frames[0]);
                Ok(Some(Message::from(frames)))
            }
            Format::Delimited => delimited(record).map(Some),
            Format::Json if record.trim_ascii().is_empty() => Ok(None),
            Format::Json => from_json(record).map(Some),
        }
    }

    /// Appends the record of a message.
    pub fn encode(self, message: &Message, into: &mut Vec<u8>) {
        match self.format {
            Format::Lines => {
                for (index, frame) in message.iter().enumerate() {
                    if index > 0 {
                        into.push(b'\t');
                    }
                    match index {
                        0 if self.routed => write_id(frame, into),
                        _ => into.extend_from_slice(frame),
                    }
                }
                into.push(b'\n');
            }
            Format::Delimited => {
                into.extend_from_slice(&length(message.frame_count()));
                for frame in message {
                    into.extend_from_slice(&length(frame.len()));
                    into.extend_from_slice(frame);
                }
            }
            Format::Json => {
                let frames: Value = message.iter().map(to_json).collect();
                into.extend_from_slice(frames.to_string().as_bytes());
                into.push(b'\n');
            }
        }
    }
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes(bytes.try_into().ok()?) as usize)
}

/// A frame beyond 4 GiB cannot be had: the length is saturated and never met.
fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

fn delimited(record: &[u8]) -> Result<Message, String> {
    const SHORT: &str = "the message is cut short";
    let count = number(record, 0).ok_or(SHORT)?;
    if count == 0 {
        return Err("a message has at least one frame, this one has none".into());
    }
    let mut frames: Vec<Frame> = Vec::new();
    let mut at = 4;
    for _ in 0..count {
        let length = number(record, at).ok_or(SHORT)?;
        at += 4;
        frames.push(Frame::from(record.get(at..at + length).ok_or(SHORT)?));
        at += length;
    }
    Ok(Message::from(frames))
}

fn to_json(frame: &Frame) -> Value {
    match std::str::from_utf8(frame) {
        Ok(text) => Value::from(text),
        Err(_) => json!({ "base64": STANDARD.encode(frame) }),
    }
}

fn from_json(record: &[u8]) -> Result<Message, String> {
    let value: Value =
        serde_json::from_slice(record).map_err(|error| format!("not JSON: {error}"))?;
    let frames = match value {
        Value::Array(frames) if frames.is_empty() => {
            return Err("a message has at least one frame: []".into());
        }
        Value::Array(frames) => frames,
        single => vec![single],
    };
    let frames: Result<Vec<Frame>, String> = frames.into_iter().map(frame_from_json).collect();
    Ok(Message::from(frames?))
}

fn frame_from_json(value: Value) -> Result<Frame, String> {
    match value {
        Value::String(text) => Ok(Frame::from(text)),
        Value::Object(object) => match (object.len(), object.get("base64")) {
            (1, Some(Value::String(text))) => STANDARD
                .decode(text)
                .map(Frame::from)
                .map_err(|error| format!("not base64: {error}")),
            _ => Err("a frame is a string or {\"base64\": \"..\"}".into()),
        },
        other => Err(format!(
            "a frame is a string or {{\"base64\": \"..\"}}, not {other}"
        )),
    }
}

/// A printable id as it is, any other in hexadecimal; one that looks like the latter, too.
fn write_id(id: &[u8], into: &mut Vec<u8>) {
    let printable = !id.is_empty() && id.iter().all(|byte| (b' '..=b'~').contains(byte));
    if printable && !id.starts_with(b"0x") {
        return into.extend_from_slice(id);
    }
    into.extend_from_slice(b"0x");
    for byte in id {
        into.extend_from_slice(format!("{byte:02x}").as_bytes());
    }
}

fn read_id(text: &[u8]) -> Frame {
    let Some(digits) = text.strip_prefix(b"0x") else {
        return Frame::from(text);
    };
    let pairs = digits
        .chunks(2)
        .map(|pair| match std::str::from_utf8(pair) {
            Ok(pair) if pair.len() == 2 => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        });
    let id: Option<Vec<u8>> = pairs.collect();
    id.map_or_else(|| Frame::from(text), Frame::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(codec: Codec, message: &Message) -> Message {
        let mut bytes = Vec::new();
        codec.encode(message, &mut bytes);
        assert_eq!(codec.record_end(&bytes, 0), Some(bytes.len()));
        for cut in 0..bytes.len() {
            assert_eq!(codec.record_end(&bytes[..cut], 0), None, "cut at {cut}");
        }
        codec.decode(&bytes).unwrap().unwrap()
    }

    #[test]
    fn delimited_and_json_keep_any_bytes() {
        let message = Message::from_frames([&b"text"[..], b"", b"\xff\x00\n", b"line\nend"]);
        for format in [Format::Delimited, Format::Json] {
            assert_eq!(
                round_trip(Codec::new(format, SocketKind::Push), &message),
                message
            );
        }
    }

    #[test]
    fn the_delimited_layout_is_the_documented_one() {
        let mut bytes = Vec::new();
        Codec::new(Format::Delimited, SocketKind::Push)
            .encode(&Message::from_frames(["ab", ""]), &mut bytes);
        assert_eq!(bytes, b"\0\0\0\x02\0\0\0\x02ab\0\0\0\0");
    }

    #[test]
    fn json_says_what_is_wrong() {
        let codec = Codec::new(Format::Json, SocketKind::Push);
        assert!(codec.decode(b"[1]").unwrap_err().contains("not 1"));
        assert!(
            codec
                .decode(b"[]")
                .unwrap_err()
                .contains("at least one frame")
        );
        assert!(codec.decode(b"[").unwrap_err().contains("not JSON"));
        assert!(
            codec
                .decode(br#"[{"base64":"*"}]"#)
                .unwrap_err()
                .contains("not base64")
        );
        assert_eq!(codec.decode(b" \n"), Ok(None));
        assert_eq!(codec.decode(b"\"one\"\n"), Ok(Some(Message::from("one"))));
    }

    #[test]
    fn lines_of_a_router_name_the_peer() {
        let codec = Codec::new(Format::Lines, SocketKind::Router);
        let message = Message::from_frames([&b"\0\x01\x02\x03\x04"[..], b"hello"]);
        let mut bytes = Vec::new();
        codec.encode(&message, &mut bytes);
        assert_eq!(bytes, b"0x0001020304\thello\n");
        assert_eq!(codec.decode(&bytes), Ok(Some(message)));
        for id in ["worker", "0x", "0xyz", "0x12"] {
            let message = Message::from_frames([id, "", "body"]);
            assert_eq!(round_trip(codec, &message), message, "id {id}");
        }
    }

    #[test]
    fn lines_of_others_are_single_frames() {
        let codec = Codec::new(Format::Lines, SocketKind::Push);
        assert_eq!(codec.decode(b"a\tb\r\n"), Ok(Some(Message::from("a\tb\r"))));
        assert_eq!(codec.decode(b"\n"), Ok(Some(Message::new())));
    }

    #[test]
    fn an_announced_size_is_only_a_claim() {
        let codec = Codec::new(Format::Delimited, SocketKind::Push);
        assert_eq!(codec.record_end(&[0xff; 64], 0), None);
        assert!(codec.decode(&[0xff; 64]).is_err());
        assert!(
            codec
                .decode(&[0; 4])
                .unwrap_err()
                .contains("at least one frame")
        );
    }
}
