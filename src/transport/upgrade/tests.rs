//! The upgrade's conversation: two machines that talk to each other, and one that is talked to by anything.
//!
//! Descriptors are numbers here that know how many of them are left, so what is dropped is seen.

use std::rc::Rc;

use super::conversation::{Arrived, Step, Upgrade};
use super::refusal::UpgradeRefusal;
use super::wire::{Hello, Terms};
use crate::config::SocketKind;
use crate::zmtp::ProtocolError;
use crate::zmtp::wire::push_named;

const HEAD: u64 = 0x10000;
const RING: u64 = 1 << 20;
const POOL: u64 = 1 << 26;

type Descriptor = Rc<()>;

fn terms(kind: SocketKind, peer: SocketKind) -> Terms {
    Terms {
        hello: Hello {
            page_size: 4096,
            ring_bytes: RING,
            pool_bytes: POOL,
            recv_hwm: 1000,
            recv_hwm_bytes: 0,
            ttl_ms: 300,
            kind: kind.number(),
        },
        segment_head: HEAD,
        peer_bytes: 1 << 32,
        peer_kind: Some(peer),
    }
}

/// A side, with what it does when it is asked.
struct Side {
    talk: Upgrade<Descriptor>,
    segment: u64,
    pool: u64,
    /// Of what it sends.
    descriptors: usize,
    makes: Result<(), UpgradeRefusal>,
    adopts: Result<(), UpgradeRefusal>,
    adopted: usize,
    /// All that were ever sent by it.
    sent: Descriptor,
}

impl Side {
    fn new(terms: Terms) -> Self {
        Side {
            talk: Upgrade::new(terms),
            segment: HEAD + RING,
            pool: POOL,
            descriptors: 2,
            makes: Ok(()),
            adopts: Ok(()),
            adopted: 0,
            sent: Rc::new(()),
        }
    }

    /// Goes on until it has to read, or is over; returns what it writes, in writes of `piece` bytes.
    fn run(&mut self, piece: usize) -> Vec<(Vec<u8>, Vec<Descriptor>)> {
        let mut written = Vec::new();
        loop {
            match self.talk.step() {
                Step::Write => {
                    let (bytes, with) = self.talk.output().expect("output");
                    let bytes = bytes[..piece.min(bytes.len())].to_vec();
                    let count = if with { self.descriptors } else { 0 };
                    self.talk.consume_output(bytes.len());
                    written.push((bytes, vec![self.sent.clone(); count]));
                }
                Step::Make => match &self.makes {
                    Ok(()) => self.talk.made(self.segment, self.pool),
                    Err(refusal) => self.talk.refuse(refusal.clone()),
                },
                Step::Adopt => {
                    let offer = self.talk.take_offer().expect("an offer");
                    assert_eq!(offer.segment.1, HEAD + RING);
                    self.adopted += 1 + usize::from(offer.pool.is_some());
                    match &self.adopts {
                        Ok(()) => self.talk.adopted(),
                        Err(refusal) => self.talk.refuse(refusal.clone()),
                    }
                }
                Step::Read | Step::Over => return written,
            }
        }
    }

    fn take(&mut self, bytes: &[u8], descriptors: Vec<Descriptor>) -> Result<(), ProtocolError> {
        self.talk.input(Arrived {
            bytes,
            descriptors,
            cut: false,
        })
    }

    fn outcome(&self) -> Result<(), UpgradeRefusal> {
        self.talk.outcome().expect("it is over")
    }
}

fn pair() -> (Side, Side) {
    let (push, pull) = (SocketKind::Push, SocketKind::Pull);
    (Side::new(terms(push, pull)), Side::new(terms(pull, push)))
}

/// Lets two sides talk to the end, in writes and reads of so many bytes. Descriptors go with the first byte of their
/// write, as the system does it.
fn converse(a: &mut Side, b: &mut Side, piece: usize) {
    for _ in 0..10_000 {
        let (from_a, from_b) = (a.run(piece), b.run(piece));
        if from_a.is_empty() && from_b.is_empty() {
            break;
        }
        for (to, written) in [(&mut *b, from_a), (&mut *a, from_b)] {
            for (bytes, mut descriptors) in written {
                let mut rest = &bytes[..];
                while !rest.is_empty() {
                    let wants = to.talk.wants();
                    assert!(wants > 0, "somebody wrote past the end");
                    let (now, later) = rest.split_at(wants.min(rest.len()));
                    to.take(now, std::mem::take(&mut descriptors))
                        .expect("sound");
                    rest = later;
                }
            }
        }
    }
    assert_eq!((a.talk.step(), b.talk.step()), (Step::Over, Step::Over));
    for side in [a, b] {
        assert_eq!(side.talk.wants(), 0);
        assert_eq!(Rc::strong_count(&side.sent), 1, "a descriptor was kept");
    }
}

/// All bytes of one sound side towards another, and where its SEGMENT begins.
fn script(mut speaker: Side, mut listener: Side) -> (Vec<u8>, usize) {
    let (mut bytes, mut segment_at) = (Vec::new(), 0);
    for _ in 0..4 {
        for (written, descriptors) in speaker.run(usize::MAX) {
            if !descriptors.is_empty() {
                segment_at = bytes.len();
            }
            bytes.extend_from_slice(&written);
            listener.take(&written, descriptors).expect("sound");
        }
        for (written, descriptors) in listener.run(usize::MAX) {
            speaker.take(&written, descriptors).expect("sound");
        }
    }
    assert_eq!(speaker.outcome(), Ok(()));
    (bytes, segment_at)
}

#[test]
fn both_accept_however_the_bytes_are_cut() {
    for piece in [usize::MAX, 64, 7, 3, 1] {
        let (mut a, mut b) = pair();
        converse(&mut a, &mut b, piece);
        assert_eq!((a.outcome(), b.outcome()), (Ok(()), Ok(())), "{piece}");
        assert_eq!((a.adopted, b.adopted), (2, 2));
        let hello = a.talk.peer().expect("a hello").clone();
        assert_eq!(hello, terms(SocketKind::Pull, SocketKind::Push).hello);
        assert_eq!(b.talk.into_leftover(), b"");
    }
}

#[test]
fn a_side_may_have_no_pool() {
    let (mut a, mut b) = pair();
    (b.pool, b.descriptors) = (0, 1);
    converse(&mut a, &mut b, usize::MAX);
    assert_eq!((a.outcome(), b.outcome()), (Ok(()), Ok(())));
    assert_eq!((a.adopted, b.adopted), (1, 2));
}

/// One refuses for a reason, the other hears its code; neither is left in doubt where the traffic begins.
#[track_caller]
fn refused(mut a: Side, mut b: Side, reason: &UpgradeRefusal) {
    converse(&mut a, &mut b, 5);
    assert_eq!(a.outcome(), Err(reason.clone()));
    assert_eq!(b.outcome(), Err(UpgradeRefusal::PeerRefused(reason.code())));
}

#[test]
fn each_refusal_is_heard_by_its_code() {
    let no_memory = UpgradeRefusal::NoMemory("none".into());
    let (mut a, b) = pair();
    a.makes = Err(no_memory.clone());
    refused(a, b, &no_memory);

    let bad = UpgradeRefusal::BadDescriptor("a pipe".into());
    let (mut a, b) = pair();
    a.adopts = Err(bad.clone());
    refused(a, b, &bad);

    for count in [0, 1, 3] {
        let (a, mut b) = pair();
        b.descriptors = count;
        let text = format!("{count} came, not 2");
        refused(a, b, &UpgradeRefusal::BadDescriptor(text));
    }

    let (a, mut b) = pair();
    b.segment += 4096;
    let text = format!(
        "a segment of {} bytes, not {}",
        HEAD + RING + 4096,
        HEAD + RING
    );
    refused(a, b, &UpgradeRefusal::BadParameter(text));

    let (a, mut b) = pair();
    b.pool = u64::MAX - 4095;
    let (size, limit) = (u64::MAX, 1 << 32);
    refused(a, b, &UpgradeRefusal::TooLarge { size, limit });

    let (a, mut b) = pair();
    b.pool = 100;
    let text = "a pool of 100 bytes".to_owned();
    refused(a, b, &UpgradeRefusal::BadParameter(text));
}

/// As [`refused`], with other terms for the side that is refused.
#[track_caller]
fn refused_for(change: impl FnOnce(&mut Terms), reason: &UpgradeRefusal) {
    let mut other = terms(SocketKind::Pull, SocketKind::Push);
    change(&mut other);
    let (a, _) = pair();
    refused(a, Side::new(other), reason);
}

#[test]
fn parameters_are_refused_before_anything_is_made() {
    let bad = |text: &str| UpgradeRefusal::BadParameter(text.to_owned());
    for ring in [0, 1, 3 << 18, 1 << 15, 1 << 25, 1 << 63, u64::MAX] {
        let text = format!("a ring of {ring} bytes");
        refused_for(|t| t.hello.ring_bytes = ring, &bad(&text));
    }
    let (size, limit) = (u64::MAX, 1 << 32);
    refused_for(
        |t| t.hello.pool_bytes = u64::MAX,
        &UpgradeRefusal::TooLarge { size, limit },
    );
    let other = bad("another kind of socket than it said before");
    refused_for(|t| t.hello.kind = 11, &other);
    refused_for(|t| t.hello.kind = SocketKind::Pub.number(), &other);
}

#[test]
fn other_pages_are_refused_by_both() {
    let (mut a, _) = pair();
    let mut other = terms(SocketKind::Pull, SocketKind::Push);
    other.hello.page_size = 65536;
    let mut b = Side::new(other);
    converse(&mut a, &mut b, usize::MAX);
    let page_size = |theirs| Err(UpgradeRefusal::PageSize { theirs });
    assert_eq!(a.outcome(), page_size(65536));
    assert_eq!(b.outcome(), page_size(4096));
    assert_eq!((a.adopted, b.adopted), (0, 0));
}

/// What a side says to a HELLO with this body.
fn answer_to_hello(body: &[u8]) -> UpgradeRefusal {
    let (mut a, _) = pair();
    let mut bytes = Vec::new();
    push_named("X-SHM-HELLO", body, &mut bytes);
    a.take(&bytes, Vec::new()).expect("well-formed");
    a.run(usize::MAX);
    bytes.clear();
    push_named("X-SHM-RESULT", &11_u64.to_le_bytes(), &mut bytes);
    a.take(&bytes, Vec::new()).expect("well-formed");
    a.run(usize::MAX);
    a.outcome().expect_err("refused")
}

#[test]
fn versions_features_and_lengths_are_looked_at() {
    let (script, _) = script(pair().1, pair().0);
    let hello = &script[14..14 + 56];
    assert_eq!(hello[..4], [1, 0, 0, 0]);

    // Another version may have another length.
    let mut longer = [hello, &[9; 100]].concat();
    longer[0] = 2;
    assert_eq!(
        answer_to_hello(&longer),
        UpgradeRefusal::Version { theirs: 2 }
    );
    assert_eq!(
        answer_to_hello(&[0, 1]),
        UpgradeRefusal::Version { theirs: 256 }
    );

    let mut features = hello.to_vec();
    features[3] = 0x80;
    assert_eq!(
        answer_to_hello(&features),
        UpgradeRefusal::Features { unknown: 0x8000 }
    );
    let mut padding = hello.to_vec();
    padding[55] = 1;
    for senseless in [
        &[][..],
        &[1],
        &hello[..55],
        &[hello, &[0]].concat(),
        &padding,
    ] {
        let refusal = answer_to_hello(senseless);
        assert!(
            matches!(refusal, UpgradeRefusal::BadParameter(_)),
            "{refusal:?}"
        );
    }
}

#[test]
fn features_that_may_be_ignored_are() {
    let (mut script, segment_at) = script(pair().1, pair().0);
    script[14 + 2] = 0xff;
    let (mut a, b) = pair();
    feed(&mut a, &script, segment_at, &b.sent).expect("sound");
    assert_eq!(a.outcome(), Ok(()));
}

/// A whole script, the descriptors with the first byte of its SEGMENT.
fn feed(
    side: &mut Side,
    script: &[u8],
    segment_at: usize,
    descriptor: &Descriptor,
) -> Result<(), ProtocolError> {
    let (hello, rest) = script.split_at(segment_at.min(script.len()));
    side.take(hello, Vec::new())?;
    side.run(usize::MAX);
    if !rest.is_empty() {
        side.take(rest, vec![descriptor.clone(); 2])?;
    }
    side.run(usize::MAX);
    Ok(())
}

#[test]
fn wherever_the_peer_stops_nothing_is_over_and_nothing_leaks() {
    let (script, segment_at) = script(pair().1, pair().0);
    for cut in 0..script.len() {
        let (mut a, b) = pair();
        feed(&mut a, &script[..cut], segment_at, &b.sent).expect("sound so far");
        assert_eq!(a.talk.step(), Step::Read, "{cut}");
        assert!((1..=100).contains(&a.talk.wants()), "{cut}");
        assert_eq!(a.talk.outcome(), None, "{cut}");
        drop(a);
        assert_eq!(Rc::strong_count(&b.sent), 1, "{cut}");
    }
}

#[test]
fn bytes_behind_the_result_are_the_traffic() {
    let (script, segment_at) = script(pair().1, pair().0);
    let (mut a, b) = pair();
    let more = [&script[..], b"\x00\x02hi"].concat();
    feed(&mut a, &more, segment_at, &b.sent).expect("sound");
    assert_eq!(a.outcome(), Ok(()));
    assert_eq!(a.talk.into_leftover(), b"\x00\x02hi");
}

#[test]
fn descriptors_at_any_other_time_are_dropped() {
    let (script, segment_at) = script(pair().1, pair().0);
    // Which byte they come with, and whether that is the right one.
    for at in 0..script.len() {
        let (mut a, b) = pair();
        for (place, byte) in script.iter().enumerate() {
            let count = if place == at { 2 } else { 0 };
            a.take(&[*byte], vec![b.sent.clone(); count])
                .expect("sound");
            let kept = Rc::strong_count(&b.sent) - 1;
            assert!(kept == 0 || at == segment_at, "{at} {place}");
            a.run(usize::MAX);
        }
        let expected = match at == segment_at {
            true => Ok(()),
            false => Err(UpgradeRefusal::BadDescriptor("0 came, not 2".into())),
        };
        assert_eq!(a.outcome(), expected, "{at}");
    }
}

#[test]
fn descriptors_that_the_system_cut_are_refused() {
    let (script, segment_at) = script(pair().1, pair().0);
    let (mut a, b) = pair();
    a.take(&script[..segment_at], Vec::new()).expect("sound");
    a.run(usize::MAX);
    let arrived = Arrived {
        bytes: &script[segment_at..],
        descriptors: vec![b.sent.clone(); 2],
        cut: true,
    };
    a.talk.input(arrived).expect("sound");
    a.run(usize::MAX);
    let text = "2 came and more that were lost, not 2".to_owned();
    assert_eq!(a.outcome(), Err(UpgradeRefusal::BadDescriptor(text)));
    assert_eq!(Rc::strong_count(&b.sent), 1);
}

#[test]
fn what_is_no_upgrade_breaks_the_protocol() {
    let command = |name: &str, body: &[u8]| {
        let mut bytes = Vec::new();
        push_named(name, body, &mut bytes);
        bytes
    };
    let (script, segment_at) = script(pair().1, pair().0);
    let result_at = script.len() - (2 + 1 + 12 + 8);
    let cases: [(usize, Vec<u8>, ProtocolError); 9] = [
        (0, b"\x00\x02hi".to_vec(), ProtocolError::UnexpectedMessage),
        (0, b"\x05\x02hi".to_vec(), ProtocolError::CommandWithMore),
        (0, vec![0x80], ProtocolError::ReservedFlags(0x80)),
        (0, vec![4, 0], ProtocolError::BadCommandName),
        (
            0,
            vec![6, 0, 0, 0, 0, 0, 0, 4, 1],
            ProtocolError::CommandTooLarge {
                size: 1025,
                limit: 1024,
            },
        ),
        (
            0,
            command("PING", &[0, 0]),
            ProtocolError::UnexpectedCommand {
                expected: "X-SHM-HELLO",
                found: "PING".into(),
            },
        ),
        (
            segment_at,
            // Accepting what was not sent yet.
            command("X-SHM-RESULT", &[0; 8]),
            ProtocolError::UnexpectedCommand {
                expected: "X-SHM-SEGMENT",
                found: "X-SHM-RESULT".into(),
            },
        ),
        (
            result_at,
            command("X-SHM-RESULT", &[0; 3]),
            ProtocolError::TruncatedCommand {
                command: "X-SHM-RESULT",
            },
        ),
        (
            result_at,
            command("X-SHM-RESULT", &[0; 9]),
            ProtocolError::TrailingBytes {
                command: "X-SHM-RESULT",
                count: 1,
            },
        ),
    ];
    for (at, bytes, error) in cases {
        let (mut a, b) = pair();
        let bytes = [&script[..at], &bytes].concat();
        let result = feed(&mut a, &bytes, segment_at, &b.sent);
        assert_eq!(result, Err(error.clone()));
        assert_eq!(a.take(&script, Vec::new()), Err(error));
        assert_eq!(a.talk.wants(), 0);
        assert_eq!(Rc::strong_count(&b.sent), 1);
    }
}

#[test]
fn what_cannot_be_sent_is_taken_back() {
    let (mut a, mut b) = pair();
    let hello = b.run(usize::MAX).remove(0).0;
    a.take(&hello, Vec::new()).expect("sound");
    let (first, _) = a.talk.output().expect("the hello");
    let first = first.to_vec();
    a.talk.consume_output(first.len());
    assert_eq!(a.talk.step(), Step::Make);
    a.talk.made(HEAD + RING, 0);
    assert!(a.talk.output().is_some_and(|(_, with)| with));
    let reason = UpgradeRefusal::NoMemory("too many references".into());
    a.talk.refuse(reason.clone());
    assert!(a.talk.output().is_some_and(|(_, with)| !with));
    b.take(&first, Vec::new()).expect("sound");
    converse(&mut a, &mut b, usize::MAX);
    assert_eq!(a.outcome(), Err(reason));
    assert_eq!(b.outcome(), Err(UpgradeRefusal::PeerRefused(8)));
}

#[test]
fn garbage_ends_in_an_error_or_waits_for_more() {
    // A small generator of our own, so that the same garbage comes every time.
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed
    };
    let (script, segment_at) = script(pair().1, pair().0);
    for _ in 0..20_000 {
        let mut bytes = script.clone();
        for _ in 0..=next() % 4 {
            let at = (next() % bytes.len() as u64) as usize;
            bytes[at] = next() as u8;
        }
        let (mut a, b) = pair();
        let _ = feed(&mut a, &bytes, segment_at, &b.sent);
        assert!(a.talk.wants() <= 9 + 1024);
        drop(a);
        assert_eq!(Rc::strong_count(&b.sent), 1);
    }
}
