//! The in-process queue against an oracle, its bells, and two threads at full speed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::{Bell, Doorbell, Got, Limits, PipeId, QueueReceiver, QueueSender, queue};
use crate::message::Message;

/// Counts rings, and unparks a thread if it was given one.
#[derive(Default)]
struct Counting {
    readable: AtomicUsize,
    writable: AtomicUsize,
    sleeper: Mutex<Option<Thread>>,
}

impl Counting {
    fn wake(&self) {
        if let Some(thread) = &*self.sleeper.lock() {
            thread.unpark();
        }
    }
}

impl Doorbell for Counting {
    fn readable(&self, _: PipeId) {
        self.readable.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }

    fn writable(&self, _: PipeId) {
        self.writable.fetch_add(1, Ordering::SeqCst);
        self.wake();
    }
}

struct Ends {
    sender: QueueSender,
    receiver: QueueReceiver,
    writer_bell: Arc<Counting>,
    reader_bell: Arc<Counting>,
}

fn ends(send: usize, recv: usize) -> Ends {
    let (writer_bell, reader_bell) = (Arc::new(Counting::default()), Arc::new(Counting::default()));
    let bell = |door: &Arc<Counting>| Bell {
        door: door.clone(),
        pipe: 0,
    };
    let limit = |messages| Limits { messages, bytes: 0 };
    let (sender, receiver) = queue(
        bell(&writer_bell),
        bell(&reader_bell),
        limit(send),
        limit(recv),
    );
    Ends {
        sender,
        receiver,
        writer_bell,
        reader_bell,
    }
}

fn message(number: u64) -> Message {
    Message::from(number.to_be_bytes())
}

/// Sends a numbered message; a refused one stays what it was.
fn send(sender: &mut QueueSender, number: u64) -> bool {
    let mut message = message(number);
    let sent = sender.try_send(&mut message);
    assert!(sent || message == self::message(number));
    sent
}

/// The number of the next message.
fn recv(receiver: &mut QueueReceiver) -> Option<u64> {
    let mut message = Message::new();
    match receiver.try_recv(&mut message)? {
        Got::Message { .. } => {
            let bytes: [u8; 8] = message.first()[..].try_into().expect("a number");
            Some(u64::from_be_bytes(bytes))
        }
        other => panic!("not a message: {other:?}"),
    }
}

#[test]
fn both_watermarks_add_up_and_the_writer_goes_on_after_half_was_read() {
    let mut ends = ends(5, 5);
    for number in 0..10 {
        assert!(send(&mut ends.sender, number));
    }
    assert!(!send(&mut ends.sender, 10));
    for number in 0..4 {
        assert_eq!(recv(&mut ends.receiver), Some(number));
    }
    assert!(!send(&mut ends.sender, 10));
    assert_eq!(ends.writer_bell.writable.load(Ordering::SeqCst), 0);
    assert_eq!(recv(&mut ends.receiver), Some(4));
    assert_eq!(ends.writer_bell.writable.load(Ordering::SeqCst), 1);
    for number in 10..15 {
        assert!(send(&mut ends.sender, number));
    }
    assert!(!send(&mut ends.sender, 15));
}

#[test]
fn no_watermark_on_either_side_is_no_limit_and_rings_grow() {
    let mut ends = ends(0, 5);
    for number in 0..50_000 {
        assert!(send(&mut ends.sender, number));
    }
    for number in 0..50_000 {
        assert_eq!(recv(&mut ends.receiver), Some(number));
    }
    assert_eq!(recv(&mut ends.receiver), None);
    assert!(!ends.receiver.ended());
}

#[test]
fn the_reader_is_rung_once_for_each_time_it_found_nothing() {
    let mut ends = ends(100, 100);
    let rings = |ends: &Ends| ends.reader_bell.readable.load(Ordering::SeqCst);
    assert!(send(&mut ends.sender, 0));
    assert!(send(&mut ends.sender, 1));
    assert_eq!(rings(&ends), 1);
    assert!(recv(&mut ends.receiver).is_some() && recv(&mut ends.receiver).is_some());
    assert!(send(&mut ends.sender, 2));
    assert_eq!(
        rings(&ends),
        1,
        "the reader never said that it found nothing"
    );
    assert!(recv(&mut ends.receiver).is_some() && recv(&mut ends.receiver).is_none());
    assert!(send(&mut ends.sender, 3));
    assert_eq!(rings(&ends), 2);
}

#[test]
fn what_was_sent_is_read_after_the_writer_is_gone() {
    let Ends {
        mut sender,
        mut receiver,
        reader_bell,
        ..
    } = ends(0, 0);
    for number in 0..100 {
        assert!(send(&mut sender, number));
    }
    drop(sender);
    assert_eq!(reader_bell.readable.load(Ordering::SeqCst), 2);
    for number in 0..100 {
        assert_eq!(recv(&mut receiver), Some(number));
    }
    assert_eq!(recv(&mut receiver), None);
    assert!(receiver.ended());
}

#[test]
fn a_writer_without_a_reader_gets_its_packets_back_and_knows_what_was_not_read() {
    let Ends {
        mut sender,
        mut receiver,
        writer_bell,
        ..
    } = ends(10, 10);
    for number in 0..7 {
        assert!(send(&mut sender, number));
    }
    assert!(recv(&mut receiver).is_some());
    drop(receiver);
    assert_eq!(writer_bell.writable.load(Ordering::SeqCst), 1);
    assert!(!send(&mut sender, 7));
    assert_eq!(sender.unread(), 6);
}

#[test]
fn two_threads_that_sleep_whenever_they_can_lose_nothing() {
    const COUNT: u64 = 300_000;
    let Ends {
        mut sender,
        mut receiver,
        writer_bell,
        reader_bell,
    } = ends(16, 16);
    let writer = thread::spawn(move || {
        *writer_bell.sleeper.lock() = Some(thread::current());
        for number in 0..COUNT {
            while !send(&mut sender, number) {
                thread::park();
            }
        }
    });
    *reader_bell.sleeper.lock() = Some(thread::current());
    let mut expected = 0;
    while expected < COUNT {
        match recv(&mut receiver) {
            Some(got) => {
                assert_eq!(got, expected);
                expected += 1;
            }
            None => thread::park(),
        }
    }
    writer.join().expect("the writer ends well");
}

proptest! {
    /// `true` sends, `false` receives; the queue does what a deque would.
    #[test]
    fn behaves_as_a_deque(operations in prop::collection::vec(any::<bool>(), 0..2000), hwm in 1usize..200) {
        let mut ends = ends(hwm, hwm);
        let mut oracle = VecDeque::new();
        for (number, sends) in operations.into_iter().enumerate() {
            if sends {
                if send(&mut ends.sender, number as u64) {
                    oracle.push_back(number as u64);
                } else {
                    prop_assert!(oracle.len() > hwm, "refused below half of what fits");
                }
            } else {
                prop_assert_eq!(recv(&mut ends.receiver), oracle.pop_front());
            }
        }
        for left in oracle {
            prop_assert_eq!(recv(&mut ends.receiver), Some(left));
        }
        prop_assert_eq!(recv(&mut ends.receiver), None);
    }
}
