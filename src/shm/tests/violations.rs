//! A peer that writes anything: each impossible thing has its typed end, and possible lies harm nobody but the liar.
//!
//! The peer is this test, which owns its segment and so can store what it likes.

use std::os::unix::net::UnixStream;
use std::sync::atomic::Ordering;

use rustix::net::SendFlags;

use super::{RING, segment};
use crate::shm::area::OwnArea;
use crate::shm::bell::{Bell, Heard};
use crate::shm::channel::Channel;
use crate::shm::error::Violation;
use crate::shm::live::{Live, RETURNS, Slot};
use crate::shm::ring::{RecordKind, Tally, record_len};

const POSITION_WRITTEN: &str = "an impossible position in the ring it writes";
const POSITION_READ: &str = "an impossible position in the ring it reads";
const COUNT: &str = "an impossible count of what it has read";
const RETURN: &str = "an impossible position in its return ring";
const KIND: &str = "a record of an unknown kind";
const LENGTH: &str = "a record longer than what was published";
const FLAGS: &str = "a record with unknown flags";

const CAPACITY: u64 = RING as u64;
const RECORD: u64 = record_len(8) as u64;

/// A peer that writes its words and its ring by hand.
struct Liar {
    live: Live,
    area: OwnArea,
}

impl Liar {
    fn says(&self, slot: Slot, value: u64) {
        self.live.store(slot, value, Ordering::Release);
    }

    /// A record of eight bytes at a position of the ring.
    fn writes(&mut self, position: u64) {
        self.area.write(position, 8, &[7; 8]);
    }
}

/// An honest end and its liar.
fn link() -> (Channel, Liar) {
    let ((ours, _), (theirs, theirs_here)) = (segment(), segment());
    let (socket, _) = UnixStream::pair().expect("a pair");
    let liar = Liar {
        live: Live::new(theirs.map()),
        area: OwnArea::new(theirs.map()),
    };
    let channel = Channel::new(ours.map(), theirs_here.map(), Bell::new(socket.into()));
    (channel, liar)
}

/// An honest end that has put four records, of which two are published and the peer has read one.
fn writer() -> (Channel, Liar) {
    let (mut channel, liar) = link();
    for record in 0..4 {
        channel.tx.put(RecordKind::Frame, false, &[record; 8]);
        channel.tx.sent.count(8);
        if record == 1 {
            channel.tx.publish();
        }
    }
    for (slot, value) in [(Slot::Messages, 1), (Slot::Bytes, 8), (Slot::Head, RECORD)] {
        liar.says(slot, value);
    }
    assert_eq!(channel.tx.refresh(), Ok(()));
    (channel, liar)
}

#[test]
fn impossible_positions_of_a_writer() {
    // What was read before, and what the tail is then.
    let cases = [
        (0, CAPACITY + 8),
        (0, 4),
        (0, 1),
        (0, CAPACITY - 1),
        (0, u64::MAX),
        (0, u64::MAX - 7),
        (0, 1 << 63),
        (0, 1 << 32),
        (2, RECORD),
        (2, 0),
        (2, 2 * RECORD + 4),
        (2, 2 * RECORD + CAPACITY + 8),
        (2, u64::MAX),
    ];
    for (read, tail) in cases {
        let (mut channel, mut liar) = link();
        for record in 0..read {
            liar.writes(record * RECORD);
        }
        liar.says(Slot::Tail, read * RECORD);
        for _ in 0..read {
            let record = channel.rx.next().expect("so far honest").expect("a record");
            channel.rx.advance(record);
        }
        liar.says(Slot::Tail, tail);
        for _ in 0..2 {
            let expected = Violation(POSITION_WRITTEN);
            assert_eq!(channel.rx.has_record(), Err(expected), "{read} {tail:#x}");
            assert_eq!(channel.rx.next(), Err(expected), "{read} {tail:#x}");
        }
    }
}

#[test]
fn impossible_records() {
    // Header words, where 32 bytes are published.
    let flags = |bits: u64| bits << 40;
    let kind = |byte: u64| byte << 32;
    let mut cases = vec![
        (25, LENGTH),
        (CAPACITY - 8, LENGTH),
        (CAPACITY, LENGTH),
        (u64::from(u32::MAX), LENGTH),
        (u64::from(u32::MAX) - 7, LENGTH),
        (u64::from(u32::MAX) | kind(4) | flags(1), LENGTH),
        (1 << 31, LENGTH),
        (flags(2), FLAGS),
        (flags(0x81), FLAGS),
        (flags(0xff), FLAGS),
        (1 << 48, FLAGS),
        (1 << 63, FLAGS),
        (u64::MAX, KIND),
    ];
    cases.extend((5..256).map(|byte| (kind(byte) | 8, KIND)));
    for (header, violation) in cases {
        let (mut channel, mut liar) = link();
        liar.area.write(0, header, &[7; 24]);
        liar.says(Slot::Tail, 32);
        assert_eq!(channel.rx.has_record(), Ok(true));
        for _ in 0..2 {
            let found = channel.rx.next();
            assert_eq!(found, Err(Violation(violation)), "{header:#x}");
        }
    }
}

/// A record is looked at once; what its writer does to it afterwards changes nothing but the payload.
#[test]
fn a_record_that_changes_while_it_is_read() {
    let (mut channel, mut liar) = link();
    liar.area.write(0, 24, &[7; 24]);
    liar.says(Slot::Tail, 32);
    let record = channel.rx.next().expect("honest").expect("a record");
    liar.area.write(0, u64::MAX, &[8; 24]);
    liar.says(Slot::Tail, 8);
    assert_eq!(record.len, 24);
    assert_eq!(channel.rx.to_vec(record), [8; 24]);
    channel.rx.advance(record);
    assert_eq!(channel.rx.next(), Err(Violation(POSITION_WRITTEN)));
}

#[test]
fn impossible_positions_and_counts_of_a_reader() {
    use Slot::{Bytes, Head, Messages};
    let cases = [
        (Head, 0, POSITION_READ),
        (Head, RECORD - 8, POSITION_READ),
        (Head, RECORD + 4, POSITION_READ),
        // Put, but not published.
        (Head, 3 * RECORD, POSITION_READ),
        (Head, 2 * RECORD + 8, POSITION_READ),
        (Head, CAPACITY, POSITION_READ),
        (Head, u64::MAX, POSITION_READ),
        (Head, u64::MAX - 7, POSITION_READ),
        (Head, 1 << 63, POSITION_READ),
        (Messages, 0, COUNT),
        (Messages, 5, COUNT),
        (Messages, u64::MAX, COUNT),
        (Bytes, 7, COUNT),
        (Bytes, 33, COUNT),
        (Bytes, u64::MAX, COUNT),
    ];
    for (slot, value, violation) in cases {
        let (mut channel, liar) = writer();
        let (free, waiting) = (channel.tx.free(), channel.tx.waiting());
        liar.says(slot, value);
        for _ in 0..2 {
            assert_eq!(
                channel.tx.refresh(),
                Err(Violation(violation)),
                "{value:#x}"
            );
            let fits = channel.tx.fits(RING);
            assert_eq!(fits, Err(Violation(violation)), "{value:#x}");
        }
        let known = (channel.tx.free(), channel.tx.waiting());
        assert_eq!(known, (free, waiting), "the last possible ones stand");
    }
}

/// Counts and positions that do not belong together are possible: they are stored one after the other.
#[test]
fn counts_that_disagree_with_the_position() {
    let (mut channel, liar) = writer();
    liar.says(Slot::Messages, 4);
    liar.says(Slot::Bytes, 8);
    assert_eq!(channel.tx.refresh(), Ok(()));
    let waiting = Tally {
        messages: 0,
        bytes: 24,
    };
    assert_eq!(channel.tx.waiting(), waiting);
    assert_eq!(channel.tx.free(), RING - 3 * RECORD as usize);
}

/// Whatever stands in the words of sleep: one ring an episode at most, and no more episodes than odd numbers seen.
#[test]
fn lies_about_sleep_ring_once_each() {
    let words = [0, 1, 1, 2, 3, 1, u64::MAX, u64::MAX, 0, 1 << 63, u64::MAX];
    let rings = [
        false, true, false, false, true, true, true, false, false, false, false,
    ];
    let (mut channel, mut liar) = link();
    let mut position = 0;
    for (word, ring) in words.into_iter().zip(rings) {
        liar.says(Slot::RxSleep, word);
        liar.says(Slot::TxSleep, word);
        for slot in [Slot::WakeHead, Slot::WakeMessages, Slot::WakeBytes] {
            liar.says(slot, word.wrapping_mul(7));
        }
        channel.tx.put(RecordKind::Frame, false, &[1; 8]);
        liar.writes(position);
        position += RECORD;
        liar.says(Slot::Tail, position);
        let record = channel.rx.next().expect("honest").expect("a record");
        channel.rx.advance(record);
        let rung = channel.tx.publish_and_look();
        let rung_for_room = channel.rx.release_and_look();
        assert_eq!((rung, rung_for_room), (ring, ring), "{word:#x}");
        assert!(!channel.tx.publish_and_look() && !channel.rx.release_and_look());
    }
}

#[test]
fn impossible_positions_of_a_return_ring() {
    let cases = [
        (0, RETURNS + 1),
        (0, u64::MAX),
        (0, 1 << 63),
        (3, 2),
        (3, 0),
        (3, 3 + RETURNS + 1),
        (RETURNS, 1),
        (RETURNS, 2 * RETURNS + 1),
    ];
    for (before, after) in cases {
        let (mut channel, liar) = link();
        for entry in 0..before {
            liar.live.store_entry(entry, entry << 32 | 5);
        }
        liar.says(Slot::Returned, before);
        for entry in 0..before {
            assert_eq!(channel.returns.next(), Ok(Some(entry << 32 | 5)));
        }
        assert_eq!(channel.returns.next(), Ok(None));
        liar.says(Slot::Returned, after);
        for _ in 0..2 {
            let found = channel.returns.next();
            assert_eq!(found, Err(Violation(RETURN)), "{before} {after:#x}");
        }
    }
}

/// A full return ring is possible, and all of it is read.
#[test]
fn a_return_ring_can_be_full() {
    let (mut channel, liar) = link();
    for round in 1..=3 {
        liar.says(Slot::Returned, round * RETURNS);
        let mut count = 0;
        while channel.returns.next().expect("possible").is_some() {
            count += 1;
        }
        assert_eq!(count, RETURNS);
    }
}

#[test]
fn impossible_bytes_on_the_bell() {
    for byte in 0..=u8::MAX {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let bell = Bell::new(ours.into());
        let sent = rustix::net::send(&theirs, &[1, 3, byte], SendFlags::empty());
        assert_eq!(sent, Ok(3));
        let heard = Heard {
            anything: true,
            more: false,
            ping: byte == 2,
            end: false,
        };
        let expected = match byte {
            1..=3 => Ok(heard),
            _ => Err(Violation("an unknown byte on the bell")),
        };
        assert_eq!(bell.hear(), expected, "{byte}");
    }
}
