//! The in-process queue against an oracle, its bells, and two threads at full speed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Thread};

use parking_lot::Mutex;
use proptest::prelude::*;

use super::{Bell, Doorbell, Limits, Packet, PipeId, QueueReceiver, QueueSender, queue};
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

fn packet(number: u64) -> Packet {
    Packet::Message(Message::from(number.to_be_bytes()))
}

#[test]
fn both_watermarks_add_up_and_the_writer_goes_on_after_half_was_read() {
    let mut ends = ends(5, 5);
    for number in 0..10 {
        assert!(ends.sender.try_send(packet(number)).is_ok());
    }
    assert_eq!(ends.sender.try_send(packet(10)), Err(packet(10)));
    for number in 0..4 {
        assert_eq!(ends.receiver.try_recv(), Some(packet(number)));
    }
    assert!(ends.sender.try_send(packet(10)).is_err());
    assert_eq!(ends.writer_bell.writable.load(Ordering::SeqCst), 0);
    assert_eq!(ends.receiver.try_recv(), Some(packet(4)));
    assert_eq!(ends.writer_bell.writable.load(Ordering::SeqCst), 1);
    for number in 10..15 {
        assert!(ends.sender.try_send(packet(number)).is_ok());
    }
    assert!(ends.sender.try_send(packet(15)).is_err());
}

#[test]
fn no_watermark_on_either_side_is_no_limit_and_rings_grow() {
    let mut ends = ends(0, 5);
    for number in 0..50_000 {
        assert!(ends.sender.try_send(packet(number)).is_ok());
    }
    for number in 0..50_000 {
        assert_eq!(ends.receiver.try_recv(), Some(packet(number)));
    }
    assert_eq!(ends.receiver.try_recv(), None);
    assert!(!ends.receiver.ended());
}

#[test]
fn the_reader_is_rung_once_for_each_time_it_found_nothing() {
    let mut ends = ends(100, 100);
    let rings = |ends: &Ends| ends.reader_bell.readable.load(Ordering::SeqCst);
    assert!(ends.sender.try_send(packet(0)).is_ok());
    assert!(ends.sender.try_send(packet(1)).is_ok());
    assert_eq!(rings(&ends), 1);
    assert!(ends.receiver.try_recv().is_some() && ends.receiver.try_recv().is_some());
    assert!(ends.sender.try_send(packet(2)).is_ok());
    assert_eq!(
        rings(&ends),
        1,
        "the reader never said that it found nothing"
    );
    assert!(ends.receiver.try_recv().is_some() && ends.receiver.try_recv().is_none());
    assert!(ends.sender.try_send(packet(3)).is_ok());
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
        assert!(sender.try_send(packet(number)).is_ok());
    }
    drop(sender);
    assert_eq!(reader_bell.readable.load(Ordering::SeqCst), 2);
    for number in 0..100 {
        assert_eq!(receiver.try_recv(), Some(packet(number)));
    }
    assert_eq!(receiver.try_recv(), None);
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
        assert!(sender.try_send(packet(number)).is_ok());
    }
    assert!(receiver.try_recv().is_some());
    drop(receiver);
    assert_eq!(writer_bell.writable.load(Ordering::SeqCst), 1);
    assert_eq!(sender.try_send(packet(7)), Err(packet(7)));
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
            let mut next = packet(number);
            while let Err(back) = sender.try_send(next) {
                next = back;
                thread::park();
            }
        }
    });
    *reader_bell.sleeper.lock() = Some(thread::current());
    let mut expected = 0;
    while expected < COUNT {
        match receiver.try_recv() {
            Some(got) => {
                assert_eq!(got, packet(expected));
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
        for (number, send) in operations.into_iter().enumerate() {
            if send {
                match ends.sender.try_send(packet(number as u64)) {
                    Ok(()) => oracle.push_back(packet(number as u64)),
                    Err(_) => prop_assert!(oracle.len() > hwm, "refused below half of what fits"),
                }
            } else {
                prop_assert_eq!(ends.receiver.try_recv(), oracle.pop_front());
            }
        }
        for left in oracle {
            prop_assert_eq!(ends.receiver.try_recv(), Some(left));
        }
        prop_assert_eq!(ends.receiver.try_recv(), None);
    }
}
