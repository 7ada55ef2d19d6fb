//! The outbox: chunks, counts, slices, and what comes back after a lost connection.

use std::io::IoSlice;
use std::time::Duration;

use bytes::Bytes;

use super::drain;
use crate::message::Message;
use crate::zmtp::{Encoder, Outbound, Outbox, Reclaimed, Version};

fn encoder() -> Encoder {
    Encoder::new(Version::V3_1, None)
}

fn filled(messages: &[Message]) -> Outbox {
    let mut outbox = Outbox::new();
    for message in messages {
        encoder().message(message, &mut outbox);
    }
    outbox
}

/// Small, large and multipart ones, larger together than one chunk.
fn mixed() -> Vec<Message> {
    let mut messages = Vec::new();
    for n in 0..40u8 {
        messages.push(Message::from(vec![n; 60]));
        messages.push(Message::from_frames([
            vec![n; 3],
            vec![n; 9000],
            vec![n; 5],
        ]));
        messages.push(Message::from_frames([vec![n; 20_000], vec![n; 10_000]]));
        messages.push(Message::from(vec![n; 5000]));
    }
    messages
}

#[test]
fn counts_follow_what_is_written() {
    let mut outbox = filled(&["a".into(), "b".into()]);
    assert_eq!(
        (outbox.bytes(), outbox.messages(), outbox.is_empty()),
        (6, 2, false)
    );
    outbox.advance(5);
    assert_eq!((outbox.bytes(), outbox.first_chunk()), (1, &b"b"[..]));
    outbox.advance(1);
    assert_eq!(
        (outbox.bytes(), outbox.messages(), outbox.is_empty()),
        (0, 0, true)
    );
}

#[test]
fn slices_and_first_chunks_give_the_same_bytes() {
    let messages = mixed();
    let expected: Vec<u8> = messages.iter().flat_map(Encoder::plain).collect();
    assert!(drain(&mut filled(&messages)) == expected);
    for step in [1009, 30_000, 200_000] {
        let mut outbox = filled(&messages);
        assert_eq!(outbox.messages(), messages.len());
        let mut bytes = Vec::new();
        while !outbox.is_empty() {
            let mut slices = [IoSlice::new(&[]); 7];
            let count = outbox.io_slices(&mut slices);
            let joined: Vec<u8> = slices[..count]
                .iter()
                .flat_map(|slice| slice.to_vec())
                .collect();
            let written = joined.len().min(step);
            bytes.extend_from_slice(&joined[..written]);
            outbox.advance(written);
        }
        assert!(bytes == expected);
        assert_eq!(outbox.messages(), 0);
    }
}

#[test]
fn large_frames_are_not_copied() {
    let body = Bytes::from(vec![1; 8192]);
    let outbox = filled(&[Message::from(body.clone())]);
    let mut slices = [IoSlice::new(&[]); 4];
    assert_eq!(outbox.io_slices(&mut slices), 2);
    assert_eq!(slices[0].len(), 9);
    assert_eq!(slices[1].as_ptr(), body.as_ptr());
    assert!(!outbox.is_contiguous());
}

#[test]
fn one_encoding_serves_many() {
    for size in [10, 1000, 10_000] {
        let message = Message::from_frames([vec![1; 5], vec![2; size]]);
        let wire = Encoder::plain(&message);
        let mut outbox = filled(&["before".into()]);
        outbox.push_encoded(&wire);
        encoder().message(&"after".into(), &mut outbox);
        assert_eq!(outbox.messages(), 3);
        let items = [Message::from("before"), message, "after".into()].map(Outbound::Message);
        assert!(outbox.reclaim().items == items);
    }
}

#[test]
fn an_idle_outbox_hands_its_buffer_back() {
    let mut outbox = filled(&vec![Message::from(vec![1; 200]); 1000]);
    assert_eq!(outbox.take_idle_buffer(), None);
    drain(&mut outbox);
    let buffer = outbox.take_idle_buffer().unwrap();
    assert!(buffer.is_empty() && buffer.capacity() >= 64 * 1024);
    assert_eq!(outbox.take_idle_buffer(), None);
    outbox.give_buffer(buffer);
    encoder().message(&"x".into(), &mut outbox);
    assert_eq!(drain(&mut outbox), b"\0\x01x");
}

#[test]
fn reclaim_gives_back_every_message_of_which_nothing_was_written() {
    let messages = mixed();
    let ends: Vec<usize> = messages
        .iter()
        .scan(0, |end, message| {
            *end += Encoder::plain(message).len();
            Some(*end)
        })
        .collect();
    let total = filled(&messages).bytes();
    let near_ends = ends
        .iter()
        .flat_map(|end| [end - 1, *end, end + 1, end + 40]);
    for written in near_ends.chain((0..total).step_by(9973)) {
        let written = written.min(total);
        let mut outbox = filled(&messages);
        outbox.advance(written);
        let whole = ends.iter().filter(|end| **end <= written).count();
        let torn = usize::from(!ends.contains(&written) && written > 0);
        let Reclaimed { items, dropped } = outbox.reclaim();
        assert_eq!(dropped, torn, "{written} bytes written");
        let expected = messages[whole + torn..]
            .iter()
            .cloned()
            .map(Outbound::Message);
        assert!(items.into_iter().eq(expected), "{written} bytes written");
        assert!(outbox.is_empty() && outbox.messages() == 0);
    }
}

#[test]
fn reclaim_keeps_subscriptions_and_leaves_other_commands_out() {
    let topic = Bytes::from_static(b"weather");
    for version in [Version::V2_0, Version::V3_0, Version::V3_1] {
        let mut outbox = Outbox::new();
        let mut encoder = Encoder::new(version, None);
        encoder.subscribe(&topic, &mut outbox);
        encoder.ping(Duration::ZERO, b"", &mut outbox);
        encoder.cancel(&topic, &mut outbox);
        encoder.error("500", &mut outbox);
        encoder.message(&"user".into(), &mut outbox);
        let Reclaimed { items, dropped } = outbox.reclaim();
        let expected = [
            Outbound::Subscribe(topic.clone()),
            Outbound::Cancel(topic.clone()),
            Outbound::Message("user".into()),
        ];
        assert_eq!((items, dropped), (expected.to_vec(), 0), "{version}");
    }
}

#[test]
fn messages_of_others_that_look_like_subscriptions_stay_messages() {
    let message = Message::from("\x01looks like one");
    let mut outbox = Outbox::new();
    Encoder::new(Version::V3_0, None).message(&message, &mut outbox);
    assert_eq!(outbox.reclaim().items, [Outbound::Message(message)]);
}
