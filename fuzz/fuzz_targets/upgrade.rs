//! The upgrade to shared memory against a peer that says anything: it ends well, with a reason or with a typed error,
//! however the bytes were cut; and descriptors are taken from the start of a SEGMENT alone.
#![no_main]

use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;
use taipan::internals::UpgradeSide;
use taipan::{ProtocolError, UpgradeRefusal};

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// How many descriptors come with which byte.
    descriptors: u8,
    at: u8,
    /// Sizes of the pieces; the last is used to the end.
    cuts: [u8; 4],
    bytes: &'a [u8],
}

type Outcome = (
    Option<Result<(), UpgradeRefusal>>,
    Option<ProtocolError>,
    usize,
    Vec<u8>,
);

/// One side that gets the bytes in pieces; none of them goes past what it wants to read, as the real reader does it,
/// if `exact`.
fn converse(input: &Input<'_>, mut pieces: impl Iterator<Item = usize>, exact: bool) -> Outcome {
    let mut side = UpgradeSide::new();
    let (written, _) = side.run();
    assert_eq!(&written[2..14], b"\x0bX-SHM-HELLO");
    let (mut at, mut adopted, mut error) = (0, 0, None);
    while at < input.bytes.len() {
        let rest = &input.bytes[at..];
        let mut piece = pieces.next().unwrap_or(1).clamp(1, rest.len());
        if exact && side.wants() == 0 {
            break;
        }
        if exact {
            piece = piece.min(side.wants());
        }
        let here = usize::from(input.at);
        // Descriptors come with their byte, which the system puts at the start of a read.
        if at < here {
            piece = piece.min(here - at);
        }
        let count = if at == here { input.descriptors % 4 } else { 0 };
        let result = side.input(&rest[..piece], vec![(); usize::from(count)]);
        at += piece;
        if let Err(found) = result {
            assert_eq!(side.wants(), 0);
            assert_eq!(side.input(b"", Vec::new()), Err(found.clone()));
            error = Some(found);
            break;
        }
        let (written, taken) = side.run();
        assert!(written.is_empty() || written[0] == 4);
        adopted += taken.len();
        assert!(adopted <= 2 && side.wants() <= 9 + 1024);
    }
    let outcome = side.outcome();
    assert!(outcome != Some(Ok(())) || adopted == usize::from(input.descriptors % 4));
    let left = match error {
        None if outcome.is_some() => [&side.into_leftover()[..], &input.bytes[at..]].concat(),
        _ => Vec::new(),
    };
    (outcome, error, adopted, left)
}

fuzz_target!(|input: Input<'_>| {
    let whole = converse(&input, std::iter::repeat(usize::MAX), true);
    let last = usize::from(input.cuts[3]);
    let cuts = input.cuts.map(usize::from);
    let pieces = || cuts.into_iter().chain(std::iter::repeat(last));
    assert_eq!(converse(&input, pieces(), true), whole);
    // Who reads further than asked may find descriptors with bytes in front of those they belong to.
    if input.descriptors % 4 == 0 {
        assert_eq!(converse(&input, pieces(), false), whole);
    }
});
