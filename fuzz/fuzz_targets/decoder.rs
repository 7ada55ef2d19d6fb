//! The decoder against any bytes: the same items however they come in, and what it yields survives another trip.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use taipan::internals::zmtp::{Decoder, Encoder, Inbound, Outbox, ProtocolError, Version};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    version: u8,
    max: Option<u16>,
    cuts: [u8; 4],
    bytes: &'a [u8],
}

fn version(number: u8) -> Version {
    match number % 3 {
        0 => Version::V3_1,
        1 => Version::V3_0,
        _ => Version::V2_0,
    }
}

fn decode(
    input: &Input<'_>,
    pieces: impl Iterator<Item = usize>,
) -> (Vec<Inbound>, Option<ProtocolError>) {
    let mut decoder = Decoder::new(version(input.version), input.max.map(u64::from), None);
    let mut items = Vec::new();
    let mut rest = input.bytes;
    for piece in pieces {
        let (now, later) = rest.split_at(piece.max(1).min(rest.len()));
        rest = later;
        decoder.feed(now);
        assert!(decoder.buffered() <= input.bytes.len());
        loop {
            match decoder.next() {
                Ok(Some(item)) => items.push(item),
                Ok(None) => break,
                Err(error) => return (items, Some(error)),
            }
        }
        if let Some(buffer) = decoder.take_idle_buffer() {
            assert_eq!(decoder.buffered(), 0);
            decoder.give_buffer(buffer);
        }
        if rest.is_empty() {
            break;
        }
    }
    (items, None)
}

fuzz_target!(|input: Input<'_>| {
    let (items, error) = decode(&input, std::iter::once(usize::MAX));
    let last = input.cuts[3] as usize;
    let pieces = input
        .cuts
        .iter()
        .map(|cut| *cut as usize)
        .chain(std::iter::repeat(last));
    let (cut_items, cut_error) = decode(&input, pieces);
    assert_eq!(cut_items, items);
    assert_eq!(cut_error, error);

    let mut encoder = Encoder::new(version(input.version), None);
    let mut outbox = Outbox::new();
    let mut messages = Vec::new();
    for item in items {
        if let Inbound::Message(message) = item {
            encoder.message(&message, &mut outbox);
            messages.push(message);
        }
    }
    assert_eq!(outbox.messages(), messages.len());
    let mut decoder = Decoder::new(version(input.version), None, None);
    while !outbox.is_empty() {
        let chunk = outbox.first_chunk().to_vec();
        decoder.feed(&chunk);
        outbox.advance(chunk.len());
    }
    for message in messages {
        assert_eq!(decoder.next(), Ok(Some(Inbound::Message(message))));
    }
    assert_eq!(decoder.next(), Ok(None));
});
