//! The decoder against the encoder, cut at every byte and read into its own buffers.

use std::time::Duration;

use proptest::prelude::*;

use crate::message::Message;
use crate::zmtp::{Decoder, Encoder, Inbound, Outbox, PingContext, ProtocolError, Version};

fn decoder() -> Decoder {
    Decoder::new(Version::V3_1, None, None)
}

/// Appends as a transport does: never more than `step` bytes, never past the spare capacity.
fn read_into(decoder: &mut Decoder, bytes: &[u8], step: usize) -> usize {
    let target = decoder.fill_target();
    let room = target.capacity() - target.len();
    assert!(room > 0, "the fill target is full");
    let count = room.min(step).min(bytes.len());
    target.extend_from_slice(&bytes[..count]);
    decoder.filled();
    count
}

fn all(decoder: &mut Decoder) -> Result<Vec<Inbound>, ProtocolError> {
    let mut items = Vec::new();
    while let Some(item) = decoder.next()? {
        items.push(item);
    }
    Ok(items)
}

fn decode_in_steps(bytes: &[u8], step: usize) -> Vec<Inbound> {
    let (mut decoder, mut items, mut rest) = (decoder(), Vec::new(), bytes);
    while !rest.is_empty() {
        let count = read_into(&mut decoder, rest, step);
        rest = &rest[count..];
        items.extend(all(&mut decoder).unwrap());
    }
    assert_eq!(decoder.buffered(), 0);
    items
}

fn wire(messages: &[Message]) -> Vec<u8> {
    let mut outbox = Outbox::new();
    let mut encoder = Encoder::new(Version::V3_1, None);
    for message in messages {
        encoder.message(message, &mut outbox);
    }
    let plain: Vec<u8> = messages.iter().flat_map(Encoder::plain).collect();
    let bytes = super::drain(&mut outbox);
    assert!(bytes == plain, "both encodings are the same");
    bytes
}

fn any_message() -> impl Strategy<Value = Message> {
    let size = prop_oneof![
        0usize..80,
        200usize..300,
        4000usize..20_000,
        60_000usize..80_000
    ];
    let frame = (size, any::<u8>()).prop_map(|(size, byte)| vec![byte; size]);
    prop::collection::vec(frame, 1..5).prop_map(Message::from_frames)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn messages_survive_any_cut(
        messages in prop::collection::vec(any_message(), 1..12),
        step in prop_oneof![1usize..10, 100usize..5000, Just(usize::MAX)],
    ) {
        let bytes = wire(&messages);
        // Single bytes are for short streams: the cost is in the steps.
        let step = step.max(bytes.len() / 50_000);
        let expected: Vec<_> = messages.into_iter().map(Inbound::Message).collect();
        prop_assert!(decode_in_steps(&bytes, step) == expected);
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), cut in 0usize..400) {
        let (head, tail) = bytes.split_at(cut.min(bytes.len()));
        let mut decoder = Decoder::new(Version::V3_1, Some(1000), None);
        decoder.feed(head);
        let _ = all(&mut decoder);
        decoder.feed(tail);
        let _ = all(&mut decoder);
    }
}

#[test]
fn every_cut_of_a_mixed_stream_decodes_the_same() {
    let mut bytes = b"\x04\x0d\x09SUBSCRIBEttt\x04\x0a\x06CANCELttt".to_vec();
    bytes.extend_from_slice(b"\0\x01A\x01\0\x04\x0a\x04PING\0\x0actx\0\x01B\x04\x05\x04JOIN");
    bytes.extend_from_slice(b"\x02\0\0\0\0\0\0\0\x01C\x04\x08\x04PONGctx\x04\x0a\x05ERROR\x03400");
    let context = PingContext::new(b"ctx");
    let ttl = Duration::from_secs(1);
    let expected = vec![
        Inbound::Subscribe("ttt".into()),
        Inbound::Cancel("ttt".into()),
        Inbound::Message("A".into()),
        // A command between two frames of a message comes first, and does not tear it.
        Inbound::Ping { ttl, context },
        Inbound::Message(Message::from_frames(["", "B"])),
        Inbound::Unknown,
        Inbound::Message("C".into()),
        Inbound::Pong { context },
        Inbound::Error("400".into()),
    ];
    for cut in 0..bytes.len() {
        let mut decoder = decoder();
        decoder.feed(&bytes[..cut]);
        let mut items = all(&mut decoder).unwrap();
        decoder.feed(&bytes[cut..]);
        items.extend(all(&mut decoder).unwrap());
        assert_eq!(items, expected, "cut at {cut}");
    }
    assert_eq!(decode_in_steps(&bytes, 1), expected);
}

#[test]
fn headers_are_short_up_to_255_bytes_and_long_above() {
    for (size, header) in [
        (0, &b"\0\0"[..]),
        (255, b"\0\xff"),
        (256, b"\x02\0\0\0\0\0\0\x01\0"),
    ] {
        let bytes = wire(&[Message::from(vec![7; size])]);
        assert_eq!(&bytes[..header.len()], header);
        assert_eq!(bytes.len(), header.len() + size);
    }
    assert_eq!(wire(&[Message::from_frames(["a", ""])]), b"\x01\x01a\0\0");
}

#[test]
fn a_stream_of_large_bodies_is_read_without_small_reads_between() {
    let messages: Vec<_> = (0..8u8).map(|n| Message::from(vec![n; 100_000])).collect();
    let bytes = wire(&messages);
    let (mut decoder, mut items, mut rest, mut reads) = (decoder(), Vec::new(), &bytes[..], 0);
    while !rest.is_empty() {
        rest = &rest[read_into(&mut decoder, rest, usize::MAX)..];
        items.extend(all(&mut decoder).unwrap());
        reads += 1;
    }
    let expected: Vec<_> = messages.into_iter().map(Inbound::Message).collect();
    assert!(items == expected);
    assert!(reads <= 10, "{reads} reads for 8 messages");
}

#[test]
fn a_body_grows_past_its_first_allocation() {
    let message = Message::from((0..3_000_000u32).map(|n| n as u8).collect::<Vec<_>>());
    let mut bytes = wire(std::slice::from_ref(&message));
    bytes.extend(wire(&["next".into()]));
    let expected = vec![Inbound::Message(message), Inbound::Message("next".into())];
    assert!(decode_in_steps(&bytes, 50_000) == expected);
}

#[test]
fn an_announced_size_does_not_allocate_by_itself() {
    let mut decoder = decoder();
    decoder.feed(b"\x02\x7f\xff\xff\xff\xff\xff\xff\xff");
    assert_eq!(decoder.next(), Ok(None));
    let capacity = decoder.fill_target().capacity();
    assert!(capacity <= 512 * 1024, "{capacity} bytes for a header of 9");
}

#[test]
fn an_idle_decoder_hands_its_buffer_back_and_a_busy_one_keeps_it() {
    let mut decoder = decoder();
    decoder.feed(b"\0\x02ab\0");
    assert_eq!(decoder.next(), Ok(Some(Inbound::Message("ab".into()))));
    assert_eq!(decoder.take_idle_buffer(), None);
    decoder.feed(b"\x01c");
    assert_eq!(decoder.next(), Ok(Some(Inbound::Message("c".into()))));
    let buffer = decoder.take_idle_buffer().unwrap();
    assert!(buffer.is_empty() && buffer.capacity() >= 64 * 1024);
    let address = buffer.as_ptr();
    decoder.give_buffer(buffer);
    assert_eq!(decoder.fill_target().as_ptr(), address);
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn a_ping_context_is_cut_at_16_bytes() {
    let mut decoder = decoder();
    decoder.feed(b"\x04\x1b\x04PING\0\x010123456789abcdefXXXX");
    let context = PingContext::new(b"0123456789abcdef");
    let ttl = Duration::from_millis(100);
    assert_eq!(decoder.next(), Ok(Some(Inbound::Ping { ttl, context })));
}
