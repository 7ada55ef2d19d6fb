//! A [`Peer`] told what to do by lines on stdin, for tests that need it in a process of its own.
//!
//! Format: one command a line, one answer a line. Bytes are hexadecimal, frames are separated by commas.
//!
//! | command | answer |
//! |---|---|
//! | `open KIND ROUTING_ID` | `ok` |
//! | `bind ENDPOINT` | `ok RESOLVED` |
//! | `connect ENDPOINT` | `ok` |
//! | `subscribe TOPIC`, `unsubscribe TOPIC` | `ok` |
//! | `send FRAMES` | `ok`, `timeout` or `unroutable` |
//! | `recv MILLISECONDS` | `message FRAMES` or `timeout` |

use std::io::{BufRead, Write};
use std::time::Duration;

use taipan::SocketKind;

use crate::peer::{Frames, Peer, PeerOptions, Refusal};

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .map(|digit| char::from(DIGITS[usize::from(digit)]))
        .collect()
}

/// Hexadecimal digits as bytes; anything else counts as zero.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digit = |digit: u8| char::from(digit).to_digit(16).unwrap_or(0) as u8;
    let pairs = text.as_bytes().chunks_exact(2);
    pairs
        .map(|pair| digit(pair[0]) << 4 | digit(pair[1]))
        .collect()
}

/// A message as one word. It always has a frame, so the empty word is one empty frame.
pub(crate) fn frames_to_text(frames: &[Vec<u8>]) -> String {
    let words: Vec<_> = frames.iter().map(|frame| hex(frame)).collect();
    words.join(",")
}

/// The message that a word stands for.
pub(crate) fn text_to_frames(text: &str) -> Frames {
    text.split(',').map(unhex).collect()
}

/// Obeys stdin until it ends; `open` creates the socket.
///
/// # Panics
/// On a command that does not exist, or one before `open`.
pub fn serve(open: impl Fn(&PeerOptions) -> Box<dyn Peer>) {
    let mut peer: Option<Box<dyn Peer>> = None;
    let mut out = std::io::stdout();
    for line in std::io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let (command, rest) = line.split_once(' ').unwrap_or((&line, ""));
        let answer = if command == "open" {
            let (kind, routing_id) = rest.split_once(' ').unwrap_or((rest, ""));
            let kind = SocketKind::from_name(kind.as_bytes()).expect("a kind of socket");
            peer = Some(open(&PeerOptions::named(kind, unhex(routing_id))));
            "ok".to_owned()
        } else {
            obey(peer.as_mut().expect("open first").as_mut(), command, rest)
        };
        if writeln!(out, "{answer}")
            .and_then(|()| out.flush())
            .is_err()
        {
            return;
        }
    }
}

fn obey(peer: &mut dyn Peer, command: &str, rest: &str) -> String {
    match command {
        "bind" => return format!("ok {}", peer.bind(rest)),
        "connect" => peer.connect(rest),
        "subscribe" => peer.subscribe(&unhex(rest)),
        "unsubscribe" => peer.unsubscribe(&unhex(rest)),
        "send" => {
            return match peer.send(&text_to_frames(rest)) {
                Ok(()) => "ok",
                Err(Refusal::TimedOut) => "timeout",
                Err(Refusal::Unroutable) => "unroutable",
            }
            .to_owned();
        }
        "recv" => {
            let timeout = Duration::from_millis(rest.parse().expect("milliseconds"));
            return match peer.recv(timeout) {
                Some(frames) => format!("message {}", frames_to_text(&frames)),
                None => "timeout".to_owned(),
            };
        }
        _ => panic!("unknown command {command:?}"),
    }
    "ok".to_owned()
}
