//! Both directions of a link over real memory files, step by step against an oracle that has no memory to share.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::{RING, ends};
use crate::shm::channel::Channel;
use crate::shm::ring::{Consumer, Producer, Record, RecordKind, Tally, record_len};

const KINDS: [RecordKind; 5] = [
    RecordKind::Frame,
    RecordKind::Chunk,
    RecordKind::Subscribe,
    RecordKind::Cancel,
    RecordKind::Piece,
];

#[derive(Clone, Debug)]
enum Step {
    /// Records that belong together; all but the last say that more follow.
    Put(Vec<(RecordKind, usize)>),
    Publish,
    PublishAndLook,
    Refresh,
    /// Reads so many records, if there are as many.
    Read(usize),
    Release,
    ReleaseAndLook,
    ReaderSleeps,
    ReaderWakes,
    /// Wants so many messages and bytes more, beside the quarter of the ring.
    WriterSleeps(u64, u64),
    WriterWakes,
}

fn step() -> impl Strategy<Value = Step> {
    let len = prop_oneof![
        4 => 0..100_usize,
        2 => 0..=RING / 8,
        1 => 0..=RING / 2 - 8,
    ];
    let record = (prop::sample::select(&KINDS[..]), len);
    let wanted = prop_oneof![0..4_u64, Just(u64::MAX / 2)];
    prop_oneof![
        8 => prop::collection::vec(record, 1..4).prop_map(Step::Put),
        3 => Just(Step::Publish),
        3 => Just(Step::PublishAndLook),
        1 => Just(Step::Refresh),
        8 => (1..12_usize).prop_map(Step::Read),
        3 => Just(Step::Release),
        3 => Just(Step::ReleaseAndLook),
        1 => Just(Step::ReaderSleeps),
        1 => Just(Step::ReaderWakes),
        1 => (wanted.clone(), wanted).prop_map(|(messages, bytes)| Step::WriterSleeps(messages, bytes)),
        1 => Just(Step::WriterWakes),
    ]
}

/// A sleeper as those see it who ring.
#[derive(Default)]
struct Episode {
    announced: bool,
    rung: bool,
}

impl Episode {
    fn announce(&mut self) {
        self.rung &= self.announced;
        self.announced = true;
    }

    fn wake(&mut self) {
        self.announced = false;
    }

    /// Whether it is rung now.
    fn ring(&mut self) -> bool {
        self.announced && !std::mem::replace(&mut self.rung, true)
    }
}

/// What one direction has to do.
#[derive(Default)]
struct Oracle {
    put: VecDeque<(Record, Vec<u8>)>,
    published: VecDeque<(Record, Vec<u8>)>,
    /// Positions: the writer's, the reader's, what the reader gave back, and what the writer knows of that.
    tail: usize,
    head: usize,
    released: usize,
    known: usize,
    sent: Tally,
    taken: Tally,
    released_tally: Tally,
    known_tally: Tally,
    /// Bytes of a message of which some records were read.
    part: usize,
    /// Something was published since the writer last made sure of a sleeping reader.
    unseen: bool,
    reader: Episode,
    writer: Episode,
    wanted: (usize, Tally),
    counter: u8,
}

/// Steps are for one of these.
struct Direction<'a> {
    tx: &'a mut Producer,
    rx: &'a mut Consumer,
    oracle: &'a mut Oracle,
}

fn forward<'a>(
    from: &'a mut Channel,
    to: &'a mut Channel,
    oracle: &'a mut Oracle,
) -> Direction<'a> {
    Direction {
        tx: &mut from.tx,
        rx: &mut to.rx,
        oracle,
    }
}

impl Direction<'_> {
    fn step(&mut self, step: Step) {
        match step {
            Step::Put(records) => self.put(&records),
            Step::Publish => self.publish(false),
            Step::PublishAndLook => self.publish(true),
            Step::Refresh => self.refresh(),
            Step::Read(count) => (0..count).for_each(|_| self.read()),
            Step::Release => self.release(false),
            Step::ReleaseAndLook => self.release(true),
            Step::ReaderSleeps => {
                self.rx.announce_sleep();
                self.oracle.reader.announce();
            }
            Step::ReaderWakes => {
                self.rx.end_sleep();
                self.oracle.reader.wake();
            }
            Step::WriterSleeps(messages, bytes) => self.sleep_for_room(messages, bytes),
            Step::WriterWakes => {
                self.tx.end_sleep();
                self.oracle.writer.wake();
            }
        }
        self.check();
    }

    /// Puts records if there is room for all of them, which is found out as it is.
    fn put(&mut self, records: &[(RecordKind, usize)]) {
        let len: usize = records.iter().map(|(_, len)| record_len(*len)).sum();
        let oracle = &mut *self.oracle;
        if len > RING - (oracle.tail - oracle.known) {
            (oracle.known, oracle.known_tally) = (oracle.released, oracle.released_tally);
        }
        let fits = len <= RING - (oracle.tail - oracle.released);
        assert_eq!(self.tx.fits(len), Ok(fits));
        if !fits {
            return;
        }
        for (at, (kind, len)) in records.iter().enumerate() {
            let (kind, len, more) = (*kind, *len, at + 1 < records.len());
            oracle.counter = oracle.counter.wrapping_add(1);
            let begin = usize::from(oracle.counter);
            let payload: Vec<u8> = (begin..begin + len)
                .map(|byte| (byte % 251) as u8)
                .collect();
            self.tx.put(kind, more, &payload);
            oracle.tail += record_len(len);
            oracle.put.push_back((Record { kind, more, len }, payload));
        }
        let bytes = records.iter().map(|(_, len)| *len).sum();
        self.tx.sent.count(bytes);
        oracle.sent.count(bytes);
    }

    fn publish(&mut self, look: bool) {
        let oracle = &mut *self.oracle;
        let news = !oracle.put.is_empty();
        oracle.unseen |= news;
        let due = (news || look && oracle.unseen) && oracle.reader.ring();
        oracle.unseen &= !look;
        oracle.published.append(&mut oracle.put);
        let rings = if look {
            self.tx.publish_and_look()
        } else {
            self.tx.publish()
        };
        assert_eq!(rings, due);
    }

    fn refresh(&mut self) {
        let oracle = &mut *self.oracle;
        assert_eq!(self.tx.refresh(), Ok(()));
        (oracle.known, oracle.known_tally) = (oracle.released, oracle.released_tally);
        assert_eq!(self.tx.free(), RING - (oracle.tail - oracle.released));
    }

    fn read(&mut self) {
        let oracle = &mut *self.oracle;
        let expected = oracle.published.pop_front();
        assert_eq!(self.rx.has_record(), Ok(expected.is_some()));
        let Some((record, payload)) = expected else {
            return assert_eq!(self.rx.next(), Ok(None));
        };
        assert_eq!(self.rx.next(), Ok(Some(record)));
        assert_eq!(self.rx.next(), Ok(Some(record)), "it stays");
        let window = record.len.min(64);
        assert_eq!(self.rx.window()[..window], payload[..window]);
        assert!(self.rx.to_vec(record) == payload);
        let mut appended = vec![7];
        self.rx.append(record, &mut appended);
        assert!(appended[0] == 7 && appended[1..] == payload);
        self.rx.advance(record);
        oracle.head += record_len(record.len);
        oracle.part += record.len;
        if !record.more {
            let bytes = std::mem::take(&mut oracle.part);
            self.rx.taken.count(bytes);
            oracle.taken.count(bytes);
        }
    }

    fn release(&mut self, look: bool) {
        let oracle = &mut *self.oracle;
        // Counts travel with the position, and are looked at as they are by those who ring.
        if oracle.released != oracle.head {
            (oracle.released, oracle.released_tally) = (oracle.head, oracle.taken);
        }
        let (head, tally) = oracle.wanted;
        let wanted = oracle.head >= head
            || oracle.taken.messages >= tally.messages
            || oracle.taken.bytes >= tally.bytes;
        let due = (look || wanted) && oracle.writer.ring();
        let rings = if look {
            self.rx.release_and_look()
        } else {
            self.rx.release()
        };
        assert_eq!(rings, due);
    }

    fn sleep_for_room(&mut self, messages: u64, bytes: u64) {
        let oracle = &mut *self.oracle;
        let wanted = Tally {
            messages: oracle.known_tally.messages + messages,
            bytes: oracle.known_tally.bytes + bytes,
        };
        self.tx.announce_sleep(wanted);
        if !oracle.writer.announced {
            oracle.wanted = (oracle.known + RING / 4, wanted);
        }
        oracle.writer.announce();
    }

    fn check(&self) {
        let oracle = &*self.oracle;
        let unpublished = oracle.put.iter().map(|(record, _)| record_len(record.len));
        assert_eq!(self.tx.unpublished(), unpublished.sum::<usize>());
        assert_eq!(self.tx.free(), RING - (oracle.tail - oracle.known));
        assert_eq!(self.tx.taken(), oracle.known_tally);
        let waiting = self.tx.waiting();
        let known = oracle.known_tally;
        assert_eq!(waiting.messages, oracle.sent.messages - known.messages);
        assert_eq!(waiting.bytes, oracle.sent.bytes - known.bytes);
    }

    /// Reads all that is left: nothing was lost.
    fn finish(&mut self) {
        self.tx.end_sleep();
        self.oracle.writer.wake();
        self.publish(true);
        while !self.oracle.published.is_empty() {
            self.read();
        }
        self.read();
        self.release(true);
        self.refresh();
        assert_eq!(self.tx.free(), RING);
        assert_eq!(self.tx.waiting(), Tally::default());
        assert!(!self.rx.is_closed());
        self.tx.close();
        assert!(self.rx.is_closed() && self.rx.has_record() == Ok(false));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_put_is_read(steps in prop::collection::vec((any::<bool>(), step()), 0..400)) {
        let (mut a, mut b) = ends();
        let (mut forth, mut back) = (Oracle::default(), Oracle::default());
        for (is_forth, step) in steps {
            if is_forth {
                forward(&mut a, &mut b, &mut forth).step(step);
            } else {
                forward(&mut b, &mut a, &mut back).step(step);
            }
        }
        forward(&mut a, &mut b, &mut forth).finish();
        forward(&mut b, &mut a, &mut back).finish();
    }
}

#[test]
fn a_ring_goes_round_and_round() {
    let (mut a, mut b) = ends();
    let mut oracle = Oracle::default();
    let mut forth = forward(&mut a, &mut b, &mut oracle);
    for len in (0..RING / 2 - 8).step_by(97) {
        forth.step(Step::Put(vec![
            (KINDS[len % 5], len),
            (KINDS[len % 3], len / 2),
        ]));
        forth.step(Step::PublishAndLook);
        forth.step(Step::Read(2));
        forth.step(Step::ReleaseAndLook);
    }
    assert!(forth.oracle.tail > 100 * RING);
    forth.finish();
}

#[test]
fn a_ring_can_be_filled_to_the_last_byte() {
    let (mut a, mut b) = ends();
    let mut oracle = Oracle::default();
    let mut forth = forward(&mut a, &mut b, &mut oracle);
    for round in 0..3 {
        let half = (RecordKind::Frame, RING / 2 - 8);
        let rest = (RecordKind::Piece, RING / 2 - 8 - round * 8);
        forth.step(Step::Put(vec![half, rest]));
        for _ in 0..round {
            forth.step(Step::Put(vec![(RecordKind::Cancel, 0)]));
        }
        assert_eq!(forth.tx.free(), 0);
        forth.step(Step::Put(vec![(RecordKind::Frame, 0)]));
        assert_eq!(forth.tx.fits(8), Ok(false));
        forth.step(Step::Publish);
        forth.step(Step::Read(5));
        forth.step(Step::Release);
        forth.step(Step::Refresh);
    }
    forth.finish();
}
