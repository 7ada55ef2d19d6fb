//! A lane over shared memory, and a peer that keeps to the rules or writes anything anywhere. As long as it keeps to
//! them everything arrives, whole and in order, both ways. When it does not, the link ends with a reason; and in
//! either case nothing panics, nothing hangs, and no chunk is lost.
#![no_main]

use std::collections::VecDeque;

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use taipan::Message;
use taipan::internals::{SharedGot, SharedPeer, SharedSide};

#[derive(Arbitrary, Debug)]
struct Input {
    hwm: u8,
    views: bool,
    wait: bool,
    conflate: bool,
    operations: Vec<Operation>,
}

#[derive(Arbitrary, Debug)]
enum Operation {
    /// Lengths of frames; a large one is in units of 1 KiB.
    Send {
        lens: [u8; 3],
        frames: u8,
        large: Option<u8>,
        loaned: bool,
    },
    Subscribe(u8),
    Receive,
    Flush,
    Glance(bool),
    Hear,
    Prefetch,
    Tick(u8),
    Finish,
    LetGo,
    PeerPut {
        kind: u8,
        more: bool,
        payload: Vec<u8>,
    },
    /// In units of 1 KiB.
    PeerPutLarge {
        piece: bool,
        more: bool,
        len: u8,
    },
    PeerChunk {
        more: bool,
        name: u8,
        offset: u32,
        len: u32,
    },
    PeerPublish,
    PeerRead(u8),
    PeerRelease,
    PeerClose,
    /// A record's header where the next one is expected, and how many words of it are published.
    Header {
        len: u32,
        shift: u8,
        kind: u8,
        flags: u8,
        words: u16,
    },
    /// One of the words that are looked at, and how the value is shifted.
    Word(u8, u64, u8),
    Scribble(u16, Vec<u8>),
    /// What lies in the ring, from here on.
    ScribbleRing(u16, Vec<u8>),
    ScribblePool(u32, Vec<u8>),
    Ring(Vec<u8>),
}

/// Where the words of the live page are.
const WORDS: [usize; 11] = [
    0, 0x8, 0x80, 0x88, 0x90, 0x100, 0x180, 0x188, 0x190, 0x198, 0x200,
];
const RING_AT: usize = 0x10000;
const RING: usize = 64 * 1024;
const POOL: u64 = 256 * 1024;
const MAX_SIZE: usize = 1 << 20;

struct World {
    side: SharedSide,
    peer: SharedPeer,
    /// The peer has kept to the rules.
    clean: bool,
    conflate: bool,
    finished: bool,
    peer_closed: bool,
    end: Option<SharedGot>,
    held: Vec<Message>,
    /// Frame lengths of what the lane took, and of what the peer has read of one of them.
    sent: VecDeque<Vec<usize>>,
    reading: Vec<usize>,
    reading_piece: usize,
    /// What the lane is to receive: published, and not.
    expected: VecDeque<SharedGot>,
    unpublished: VecDeque<SharedGot>,
    writing: Vec<Vec<u8>>,
    writing_piece: Option<Vec<u8>>,
    /// Bytes of it in chunks, which may be as many as the pool holds.
    writing_chunks: u64,
    /// Where the peer puts its next record.
    position: usize,
}

impl World {
    fn send(&mut self, lens: Vec<usize>, loaned: bool) {
        if self.finished {
            return;
        }
        let taken = self.side.send(&lens, loaned);
        assert!(!(taken && self.end.is_some()), "taken after the end");
        if taken {
            self.sent.push_back(lens);
        }
    }

    fn receive(&mut self) {
        let got = self.side.receive();
        if let Some(end) = &self.end {
            assert_eq!(got, *end, "another end");
        }
        if self.clean {
            match &got {
                SharedGot::Nothing => assert!(self.expected.is_empty(), "not found"),
                SharedGot::Closed(fault, reason) => {
                    assert!(self.peer_closed && !fault, "{reason}");
                    assert!(self.expected.is_empty(), "lost");
                }
                _ => assert_eq!(Some(&got), self.expected.pop_front().as_ref()),
            }
        }
        match got {
            SharedGot::Message(message) => {
                for frame in message.frames() {
                    assert!(frame.len() <= MAX_SIZE);
                }
                self.held.push(message);
            }
            SharedGot::Topic(topic) => assert!(topic.len() <= MAX_SIZE),
            SharedGot::Nothing => {}
            SharedGot::Closed(..) => self.end = Some(got),
        }
    }

    fn finish(&mut self) {
        if !self.finished && self.side.flush() == Some(true) {
            self.side.finish();
            self.finished = true;
        }
    }

    /// Puts a record; what it means, if it means something.
    fn put(&mut self, kind: u8, more: bool, payload: &[u8], content: Vec<u8>) {
        let kind = kind % 5;
        if self.peer_closed || !self.peer.put(kind, more, payload) {
            return;
        }
        self.position += 8 + payload.len().next_multiple_of(8);
        let control = kind == 2 || kind == 3;
        let piece = self.writing_piece.take();
        self.clean &= match kind {
            1 => piece.is_none(),
            2 | 3 => self.writing.is_empty() && !more,
            _ => true,
        };
        let mut whole = piece.unwrap_or_default();
        whole.extend(content);
        self.clean &= whole.len() <= MAX_SIZE;
        if kind == 4 {
            self.writing_piece = Some(whole);
        } else if control {
            self.unpublished.push_back(SharedGot::Topic(whole));
        } else {
            self.writing.push(whole);
            if !more {
                self.writing_chunks = 0;
                let frames = std::mem::take(&mut self.writing);
                let message = Message::from_frames(frames);
                self.unpublished.push_back(SharedGot::Message(message));
            }
        }
    }

    fn chunk(&mut self, more: bool, name: u8, offset: u64, len: u64) {
        let payload: Vec<u8> = [u64::from(name), offset, len]
            .into_iter()
            .flat_map(u64::to_le_bytes)
            .collect();
        let possible = offset + len <= POOL;
        self.writing_chunks += len;
        self.clean &= possible && self.writing_chunks <= POOL;
        let content = vec![0; if possible { len as usize } else { 0 }];
        self.put(1, more, &payload, content);
    }

    fn publish(&mut self) {
        self.peer.publish();
        self.expected.append(&mut self.unpublished);
    }

    /// Reads one record; `false` if there is none.
    fn read(&mut self) -> bool {
        let record = match self.peer.read() {
            Ok(Some(record)) => record,
            Ok(None) => return false,
            Err(fault) => {
                assert!(!self.clean, "the lane is at fault: {fault}");
                return false;
            }
        };
        let (kind, more, payload) = record;
        let len = match payload.last_chunk::<8>() {
            Some(word) if kind == 1 => u64::from_le_bytes(*word) as usize,
            _ => payload.len(),
        };
        self.reading_piece += len;
        if kind == 0 || kind == 1 {
            self.reading.push(std::mem::take(&mut self.reading_piece));
            if !more {
                self.read_message();
            }
        } else if kind != 4 {
            self.reading_piece = 0;
        }
        true
    }

    fn read_message(&mut self) {
        let lens = std::mem::take(&mut self.reading);
        if self.clean {
            self.peer.count(lens.iter().sum());
            let mut expected = self.sent.pop_front();
            while self.conflate && expected.as_ref() != Some(&lens) {
                expected = self.sent.pop_front();
            }
            assert_eq!(expected, Some(lens));
        } else {
            self.peer.count(lens.len());
        }
    }

    /// An honest peer reads everything, and the lane does only what it is told to do: nothing may be left.
    fn drain(&mut self) {
        let mut writable = true;
        for _ in 0..10_000 {
            if writable {
                self.side.flush();
            }
            let mut moved = false;
            while self.read() {
                moved = true;
            }
            self.peer.release();
            while self.end.is_none() && !self.expected.is_empty() {
                self.receive();
                moved = true;
            }
            self.side.hear();
            writable = self.side.glance(true).1;
            if !moved && !writable {
                break;
            }
        }
        self.receive();
        if self.end.is_none() {
            assert_eq!(self.side.waiting(), 0, "something waits for ever");
            assert!(
                self.conflate || self.sent.is_empty(),
                "not everything arrived"
            );
        }
    }

    fn lie(&mut self) -> &mut SharedPeer {
        self.clean = false;
        &mut self.peer
    }

    fn operate(&mut self, operation: Operation) {
        match operation {
            Operation::Send {
                lens,
                frames,
                large,
                loaned,
            } => {
                let lens = lens
                    .into_iter()
                    .take(usize::from(frames % 4))
                    .map(usize::from);
                let mut lens: Vec<usize> = lens.collect();
                lens.extend(large.map(|len| usize::from(len) * 1024));
                if lens.is_empty() {
                    lens.push(0);
                }
                self.send(lens, loaned);
            }
            Operation::Subscribe(len) if !self.finished => self.side.subscribe(len.into()),
            Operation::Subscribe(_) => {}
            Operation::Receive => self.receive(),
            Operation::Flush => {
                let flushed = self.side.flush();
                assert!(self.end.is_none() || flushed.is_none());
            }
            Operation::Glance(sleep) => {
                self.side.glance(sleep);
            }
            Operation::Hear => self.side.hear(),
            Operation::Prefetch => self.side.prefetch(),
            Operation::Tick(milliseconds) => self.side.tick(milliseconds.into()),
            Operation::Finish => self.finish(),
            Operation::LetGo => self.held.clear(),
            Operation::PeerPut {
                kind,
                more,
                payload,
            } => {
                self.clean &= kind % 5 != 1;
                self.put(kind, more, &payload, payload.clone());
            }
            Operation::PeerPutLarge { piece, more, len } => {
                let payload = vec![len; usize::from(len % 48) * 1024];
                self.put(if piece { 4 } else { 0 }, more, &payload, payload.clone());
            }
            Operation::PeerChunk {
                more,
                name,
                offset,
                len,
            } => self.chunk(more, name, offset.into(), len.into()),
            Operation::PeerPublish => self.publish(),
            Operation::PeerRead(count) => {
                let _ = (0..count).all(|_| self.read());
            }
            Operation::PeerRelease => self.peer.release(),
            Operation::PeerClose => {
                self.peer.close();
                self.peer_closed = true;
                self.expected.append(&mut self.unpublished);
            }
            Operation::Header {
                len,
                shift,
                kind,
                flags,
                words,
            } => {
                let len = len >> (shift % 32);
                let header = u64::from(len) | u64::from(kind) << 32 | u64::from(flags) << 40;
                let at = RING_AT + self.position % RING;
                let tail = self.position as u64 + u64::from(words) * 8;
                self.lie().scribble(at, &header.to_le_bytes());
                self.lie().scribble(WORDS[0], &tail.to_le_bytes());
            }
            Operation::Word(word, value, shift) => {
                let value = value << (shift % 64);
                let at = WORDS[usize::from(word) % WORDS.len()];
                self.lie().scribble(at, &value.to_le_bytes());
            }
            Operation::Scribble(offset, bytes) => self.lie().scribble(offset.into(), &bytes),
            Operation::ScribbleRing(offset, bytes) => {
                self.lie().scribble(RING_AT + usize::from(offset), &bytes);
            }
            Operation::ScribblePool(offset, bytes) => {
                // Nobody may look at the old bytes any more.
                self.held.clear();
                self.lie().scribble_pool(offset as usize, &bytes);
            }
            Operation::Ring(bytes) => {
                self.clean &= bytes.iter().all(|byte| matches!(byte, 1 | 3));
                self.peer.ring(&bytes);
            }
        }
    }
}

fuzz_target!(|input: Input| {
    let (side, peer) = SharedSide::pair(input.hwm.into(), input.views, input.wait, input.conflate);
    let mut world = World {
        side,
        peer,
        clean: true,
        conflate: input.conflate,
        finished: false,
        peer_closed: false,
        end: None,
        held: Vec::new(),
        sent: VecDeque::new(),
        reading: Vec::new(),
        reading_piece: 0,
        expected: VecDeque::new(),
        unpublished: VecDeque::new(),
        writing: Vec::new(),
        writing_piece: None,
        writing_chunks: 0,
        position: 0,
    };
    for operation in input.operations {
        world.operate(operation);
    }
    if world.clean {
        world.drain();
    }
    let World {
        side, peer, held, ..
    } = world;
    drop(held);
    assert_eq!(side.end(peer), 0, "bytes of the pool that nobody has");
});
