//! Handshakes against a peer that says anything: they end well or with a typed error, and how the bytes were cut in
//! pieces makes no difference.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use taipan::config::PlainUsers;
use taipan::internals::zmtp::{Handshake, HandshakeConfig, Progress, ProtocolError, Version};
use taipan::{Security, SocketKind};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    kind: u8,
    security: u8,
    max: Option<u16>,
    /// Sizes of the pieces; the last is used to the end.
    cuts: [u8; 4],
    bytes: &'a [u8],
}

type Outcome = Option<Result<(Version, String, Vec<u8>), ProtocolError>>;

fn shake(input: &Input<'_>, pieces: impl Iterator<Item = usize>) -> Outcome {
    let mut config =
        HandshakeConfig::new(SocketKind::ALL[input.kind as usize % SocketKind::ALL.len()]);
    config.security = match input.security % 3 {
        0 => Security::Null,
        1 => Security::plain_client("user", "password"),
        _ => Security::plain_server(PlainUsers::new().with_user("user", "password")),
    };
    config.max_message_size = input.max.map(u64::from);
    let mut handshake = Handshake::new(config);
    let mut rest = input.bytes;
    for piece in pieces {
        let (now, later) = rest.split_at(piece.clamp(1, rest.len().max(1)).min(rest.len()));
        rest = later;
        match handshake.input(now) {
            Err(error) => return Some(Err(error)),
            Ok(Progress::Done) => {
                let established = match handshake.finish() {
                    Ok(established) => established,
                    Err(error) => return Some(Err(error)),
                };
                let mut left = established.leftover.clone();
                left.extend_from_slice(rest);
                return Some(Ok((established.version, established.user_id.clone(), left)));
            }
            Ok(Progress::NeedMore) => {}
        }
        let written = handshake.output().len();
        handshake.consume_output(written / 2);
        if rest.is_empty() {
            break;
        }
    }
    None
}

fuzz_target!(|input: Input<'_>| {
    let whole = shake(&input, std::iter::once(usize::MAX));
    let last = input.cuts[3] as usize;
    let pieces = input
        .cuts
        .iter()
        .map(|cut| *cut as usize)
        .chain(std::iter::repeat(last));
    assert_eq!(shake(&input, pieces), whole);
});
