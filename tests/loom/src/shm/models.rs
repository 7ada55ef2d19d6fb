//! What may happen between two ends of a link: data, room, chunks given back, the close.
//!
//! A lost wake-up is a deadlock at a bell, a record read before it is there (or written over before it was read) is
//! a race in the area. Both are reported by loom.
//!
//! The models can fail. Each of these was tried and found: either fence of the handshake left out, any look after an
//! announcement left out, `tail`, `head`, `closed` or `returned` stored without release or loaded without acquire, an
//! entry stored after its count, no lock around the return ring, no look after `closed`, an episode rung twice. Not
//! found, for they cost no wake-up: the orders by which a reader learns what a sleeping writer wants.

use std::sync::Arc;

use loom::model::Builder;
use loom::thread;

use super::area::area;
use super::bell::{Bell, Signal};
use super::live::Live;
use super::pool::PeerSlice;
use super::ring::{Consumer, Producer, RecordKind, Tally, record_len};
use super::view::{Returner, Returns, View};

/// Bytes that a record of ours takes up.
const RECORD: usize = record_len(8);
/// Nothing but the position is worth waking up for.
const NEVER: Tally = Tally {
    messages: u64::MAX,
    bytes: u64::MAX,
};

/// Runs a model through all orders with up to three preemptions (or `LOOM_MAX_PREEMPTIONS`).
fn explore(model: impl Fn() + Send + Sync + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound.get_or_insert(3);
    builder.check(model);
}

/// Both ends of one direction, over a ring of so many records.
fn direction(records: usize) -> (Producer, Consumer) {
    let (writer, reader) = (Live::model(), Live::model());
    let (own, peer) = area(records * RECORD);
    (
        Producer::new(own, writer.clone(), reader.clone()),
        Consumer::new(peer, reader, writer),
    )
}

fn ring(bell: &Bell, due: bool) {
    if due {
        bell.send(Signal::Bell);
    }
}

fn put(tx: &mut Producer, number: u64) {
    tx.put(RecordKind::Frame, false, &number.to_le_bytes());
    tx.sent.count(8);
}

/// Reads the next record, which must be the expected one; `false` if there is none.
fn read(rx: &mut Consumer, expected: u64) -> bool {
    let Some(record) = rx.next().expect("an honest peer") else {
        return false;
    };
    assert_eq!((record.kind, record.len), (RecordKind::Frame, 8));
    assert_eq!(rx.to_vec(record), expected.to_le_bytes());
    rx.taken.count(record.len);
    rx.advance(record);
    true
}

/// One end that sleeps as the lane does: what it announced stands until it has heard the bell.
struct Sleeper {
    bell: Arc<Bell>,
    announced: bool,
    episodes: u32,
}

impl Sleeper {
    fn new() -> (Self, Arc<Bell>) {
        let bell = Arc::new(Bell::default());
        let sleeper = Sleeper {
            bell: bell.clone(),
            announced: false,
            episodes: 0,
        };
        (sleeper, bell)
    }

    /// To be called with each announcement.
    fn announce(&mut self) {
        self.episodes += u32::from(!self.announced);
        self.announced = true;
    }

    /// Sleeps; the announcement is to be ended afterwards.
    fn wait(&mut self) {
        self.bell.wait();
        self.announced = false;
    }

    /// At the end, when nobody rings any more: no more rings than episodes for each that rings.
    fn check(&self, ringers: u32) {
        assert!(self.bell.sent() <= self.episodes * ringers);
    }
}

/// Three records for a reader that sleeps whenever there is none. With `each` the writer makes sure of the reader after
/// each of them, else after the last one.
fn data(each: bool) {
    explore(move || {
        let (mut tx, mut rx) = direction(4);
        let (mut sleeper, bell) = Sleeper::new();
        let writer = thread::spawn(move || {
            for number in 1..=3 {
                put(&mut tx, number);
                let due = if each || number == 3 {
                    tx.publish_and_look()
                } else {
                    tx.publish()
                };
                ring(&bell, due);
            }
        });
        let mut expected = 1;
        loop {
            while read(&mut rx, expected) {
                expected += 1;
                rx.release();
            }
            if expected > 3 {
                break;
            }
            rx.announce_sleep();
            sleeper.announce();
            if !rx.has_record().expect("an honest peer") {
                sleeper.wait();
                rx.end_sleep();
            }
        }
        writer.join().expect("no panic");
        sleeper.check(1);
    });
}

#[test]
fn data_wakes_the_reader_record_by_record() {
    data(true);
}

#[test]
fn data_wakes_the_reader_at_the_end_of_a_batch() {
    data(false);
}

/// Puts and publishes, and sleeps for room before, as often as it takes. Returns whether the reader is to be rung.
fn put_or_sleep(tx: &mut Producer, number: u64, wanted: Tally, sleeper: &mut Sleeper) -> bool {
    while !tx.fits(RECORD).expect("an honest peer") {
        tx.announce_sleep(wanted);
        sleeper.announce();
        if !tx.fits(RECORD).expect("an honest peer") {
            sleeper.wait();
            tx.end_sleep();
        }
    }
    put(tx, number);
    tx.publish_and_look()
}

/// A full ring of which the reader reads `read` records and stops; the writer puts one more.
fn room(records: usize, reads: u64, wanted: Tally) {
    explore(move || {
        let (mut tx, mut rx) = direction(records);
        for number in 1..=records as u64 {
            put(&mut tx, number);
        }
        tx.publish();
        let (mut sleeper, bell) = Sleeper::new();
        let reader = thread::spawn(move || {
            for number in 1..=reads {
                assert!(read(&mut rx, number), "all was published");
                ring(&bell, rx.release());
            }
            ring(&bell, rx.release_and_look());
            rx
        });
        put_or_sleep(&mut tx, records as u64 + 1, wanted, &mut sleeper);
        let mut rx = reader.join().expect("no panic");
        sleeper.check(1);
        for number in reads + 1..=records as u64 + 1 {
            assert!(read(&mut rx, number), "it lies where the first one lay");
        }
        rx.release();
        tx.refresh().expect("an honest peer");
        let nothing = Tally::default();
        assert_eq!((tx.free(), tx.waiting()), (tx.capacity(), nothing));
    });
}

#[test]
fn room_wakes_the_writer() {
    room(2, 2, NEVER);
}

#[test]
fn room_wakes_the_writer_by_what_it_wants() {
    let wanted = Tally {
        messages: 2,
        bytes: u64::MAX,
    };
    room(8, 2, wanted);
}

/// One record is less than the writer wants to be woken for, but all it will get.
#[test]
fn a_reader_that_stops_early_wakes_the_writer() {
    room(8, 1, NEVER);
}

/// Both sleep: a ring of one record, and two to pass through it.
#[test]
fn both_ends_sleep_and_wake_each_other() {
    explore(|| {
        let (mut tx, mut rx) = direction(1);
        let (mut writer, writers_bell) = Sleeper::new();
        let (mut reader, readers_bell) = Sleeper::new();
        let other = thread::spawn(move || {
            for number in 1..=2 {
                let due = put_or_sleep(&mut tx, number, NEVER, &mut writer);
                ring(&readers_bell, due);
            }
            writer
        });
        let mut expected = 1;
        loop {
            while read(&mut rx, expected) {
                expected += 1;
                ring(&writers_bell, rx.release());
            }
            ring(&writers_bell, rx.release_and_look());
            if expected > 2 {
                break;
            }
            rx.announce_sleep();
            reader.announce();
            if !rx.has_record().expect("an honest peer") {
                reader.wait();
                rx.end_sleep();
            }
        }
        let writer = other.join().expect("no panic");
        writer.check(1);
        reader.check(1);
    });
}

/// Two views, read and dropped by two threads, while the owner of the chunks waits for them and uses them again.
#[test]
fn views_come_back_from_any_thread() {
    explore(|| {
        let (owner, borrower) = (Live::model(), Live::model());
        let (area, _) = area(RECORD);
        // Only sleeps: chunks and room are waited for by the same word.
        let mut tx = Producer::new(area, owner.clone(), borrower.clone());
        let mut returns = Returns::new(borrower.clone());
        let (mut sleeper, bell) = Sleeper::new();
        let returner = Arc::new(Returner::new(bell, borrower, owner));
        let chunks = [1, 2].map(|ticket| (ticket, PeerSlice::model()));
        let readers = chunks.clone().map(|(ticket, chunk)| {
            let view = View::new(chunk, ticket, returner.clone());
            thread::spawn(move || assert!(view.as_ref().is_empty()))
        });
        let mut lent = chunks.to_vec();
        // How many came back since the last time.
        let mut take_back = || {
            let before = lent.len();
            while let Some(ticket) = returns.next().expect("an honest peer") {
                let held = lent.iter().position(|(held, _)| *held == ticket);
                let (_, chunk) = lent.swap_remove(held.expect("a chunk that it held"));
                chunk.use_again();
            }
            (before - lent.len(), lent.is_empty())
        };
        while !take_back().1 {
            tx.announce_sleep(NEVER);
            sleeper.announce();
            if take_back() == (0, false) {
                sleeper.wait();
                tx.end_sleep();
            }
        }
        for reader in readers {
            reader.join().expect("no panic");
        }
        sleeper.check(1);
    });
}

/// The writer publishes, closes and rings; the reader has everything before it believes that nothing follows.
#[test]
fn nothing_is_lost_before_a_close() {
    explore(|| {
        let (mut tx, mut rx) = direction(4);
        let (mut sleeper, bell) = Sleeper::new();
        let writer = thread::spawn(move || {
            put(&mut tx, 1);
            ring(&bell, tx.publish_and_look());
            put(&mut tx, 2);
            tx.close();
            bell.send(Signal::Bell);
        });
        let mut expected = 1;
        loop {
            while read(&mut rx, expected) {
                expected += 1;
            }
            if rx.is_closed() {
                if rx.has_record().expect("an honest peer") {
                    continue;
                }
                break;
            }
            rx.announce_sleep();
            sleeper.announce();
            if !rx.has_record().expect("an honest peer") && !rx.is_closed() {
                sleeper.wait();
                rx.end_sleep();
            }
        }
        assert_eq!(expected, 3, "all that was put");
        writer.join().expect("no panic");
    });
}
