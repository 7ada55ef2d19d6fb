//! Messages to wire bytes and back: `cargo bench --features internals --bench codec`.
//!
//! - `encode`: a batch of messages through the encoder into an outbox, which is emptied as if the kernel had taken it.
//!   The messages exist already: making them is not measured, nor is any write.
//! - `decode`: a batch of wire bytes through the decoder, whole messages out, each dropped at once. The bytes are copied
//!   into the decoder's own buffer where a transport would read from the kernel, at most as many at a time as it has
//!   room for; that copy is part of the figure, a system call is not.
//!
//! Neither contains a handshake, a cipher, a queue or a thread. Figures are for ZMTP 3.1 with the NULL mechanism; the
//! throughput is in messages.

mod common;

use std::hint::black_box;

use common::{message, named, quick};
use criterion::{BenchmarkId, Criterion, Throughput};
use taipan::Message;
use taipan::internals::zmtp::{Decoder, Encoder, Inbound, Outbox, Version};

const SIZES: [usize; 4] = [64, 1024, 8 * 1024, 64 * 1024];
/// Payload of a batch: several read buffers, and well inside the caches of the second level.
const BATCH_BYTES: usize = 256 * 1024;
const LARGEST_BATCH: usize = 1024;

/// What is encoded and decoded: a name, a message, and how many of it make a batch.
fn cases() -> Vec<(String, Message, usize)> {
    let mut cases: Vec<_> = SIZES
        .iter()
        .map(|size| {
            let batch = (BATCH_BYTES / size).min(LARGEST_BATCH);
            (named(*size), message(*size), batch)
        })
        .collect();
    let small = Message::from_frames([&b"topic"[..], b"routing-id", b"a payload of 24 bytes..."]);
    cases.push(("3 small frames".to_owned(), small, LARGEST_BATCH));
    cases
}

fn encode_batch(encoder: &mut Encoder, message: &Message, batch: usize, outbox: &mut Outbox) {
    for _ in 0..batch {
        encoder.message(black_box(message), outbox);
    }
}

fn encode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encode");
    for (name, message, batch) in cases() {
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            let mut encoder = Encoder::new(Version::V3_1, None);
            let mut outbox = Outbox::new();
            bencher.iter(|| {
                encode_batch(&mut encoder, &message, batch, &mut outbox);
                let bytes = black_box(&outbox).bytes();
                outbox.advance(bytes);
            });
            assert!(outbox.is_empty(), "everything was taken");
        });
    }
    group.finish();
}

/// The wire bytes of a batch.
fn wire(message: &Message, batch: usize) -> Vec<u8> {
    let mut outbox = Outbox::new();
    encode_batch(
        &mut Encoder::new(Version::V3_1, None),
        message,
        batch,
        &mut outbox,
    );
    let mut bytes = Vec::with_capacity(outbox.bytes());
    while !outbox.is_empty() {
        let chunk = outbox.first_chunk();
        bytes.extend_from_slice(chunk);
        let taken = chunk.len();
        outbox.advance(taken);
    }
    bytes
}

/// Reads as a transport does: as much as there is room for, then every message that is whole.
fn read_all(decoder: &mut Decoder, mut wire: &[u8], mut each: impl FnMut(Message)) {
    while !wire.is_empty() {
        let target = decoder.fill_target();
        let room = (target.capacity() - target.len()).min(wire.len());
        let (now, later) = wire.split_at(room);
        target.extend_from_slice(now);
        decoder.filled();
        wire = later;
        while let Some(inbound) = decoder.next().expect("the wire is well-formed") {
            if let Inbound::Message(message) = inbound {
                each(message);
            }
        }
    }
}

fn decode(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decode");
    for (name, message, batch) in cases() {
        let wire = wire(&message, batch);
        let mut decoder = Decoder::new(Version::V3_1, None, None);
        let mut count = 0;
        read_all(&mut decoder, &wire, |decoded| {
            assert_eq!(decoded, message, "the bytes that went in");
            count += 1;
        });
        assert_eq!(count, batch, "all of them");
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher.iter(|| {
                read_all(&mut decoder, black_box(&wire), |message| {
                    black_box(&message);
                });
            });
        });
    }
    group.finish();
}

fn main() {
    let mut criterion = quick().configure_from_args();
    encode(&mut criterion);
    decode(&mut criterion);
    criterion.final_summary();
}
