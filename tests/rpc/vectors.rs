//! The examples of `docs/rpc-wire.md`, byte for byte: written, read, and found in the text.

use std::time::Duration;

use taipan::rpc::wire::{Code, Envelope, Failure, Header, Side, WireError};

const DOCUMENT: &str = include_str!("../../docs/rpc-wire.md");

fn hex(bytes: &[u8]) -> String {
    let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    pairs.join(" ")
}

fn check(written: &[u8], expected: &Envelope<'_>) {
    let text = hex(written);
    assert!(
        DOCUMENT.contains(&format!("`{text}`")),
        "not in the document: {text}"
    );
    assert_eq!(Envelope::read(written).as_ref(), Ok(expected), "{text}");
    // Cut anywhere it is refused.
    for end in 0..written.len() {
        assert!(
            Envelope::read(&written[..end]).is_err(),
            "{text} cut at {end}"
        );
    }
}

#[test]
fn what_the_document_shows_is_what_is_written_and_read() {
    let params = [0x92, 2, 3];
    check(
        &Envelope::write_call(1, "Calc.add", &params, &Header::default()),
        &Envelope::Call {
            id: 1,
            method: "Calc.add",
            params: 12..15,
            header: Header::default(),
        },
    );
    let header = Header {
        remaining: Some(Duration::from_secs(30)),
        answered: Some(300),
        window: Some(64),
        trace: None,
        codec: Some("json"),
    };
    check(
        &Envelope::write_call(300, "C.l", &[0xc4, 2, b'[', b']'], &header),
        &Envelope::Call {
            id: 300,
            method: "C.l",
            params: 9..13,
            header,
        },
    );
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let header = Header {
        trace: Some(trace),
        ..Header::default()
    };
    check(
        &Envelope::write_signal("Log.note", &[0x91, 0xa2, b'h', b'i'], &header),
        &Envelope::Signal {
            method: "Log.note",
            params: 11..15,
            header,
        },
    );
    check(
        &Envelope::write_answer(1, Ok(&[5])),
        &Envelope::Answer {
            id: 1,
            outcome: Ok(4..5),
        },
    );
    let failure = Failure {
        code: Code::Application,
        kind: "E".into(),
        message: "no".into(),
        chain: vec!["so".into()],
    };
    check(
        &Envelope::write_answer(1, Err(&failure)),
        &Envelope::Answer {
            id: 1,
            outcome: Err(failure),
        },
    );
    let item = Envelope::Item {
        id: 7,
        to: Side::Caller,
        value: 4..5,
    };
    check(&Envelope::write_item(7, Side::Caller, &[9]), &item);
    check(
        &Envelope::write_end(7, true),
        &Envelope::End {
            id: 7,
            to: Side::Callee,
            complete: true,
        },
    );
    check(
        &Envelope::write_credit(7, Side::Caller, 32),
        &Envelope::Credit {
            id: 7,
            to: Side::Caller,
            count: 32,
        },
    );
    check(&Envelope::write_cancel(7), &Envelope::Cancel { id: 7 });
    let instance = *b"0123456789abcdef";
    check(
        &Envelope::write_hello(&instance),
        &Envelope::Hello {
            version: 1,
            instance,
        },
    );
}

#[test]
fn plain_messagepack_rpc_is_understood() {
    // An error that is a text, numbers in the forms that other encoders choose.
    let answer = [0x94, 0xcc, 1, 0xd1, 0, 9, 0xa2, b'n', b'o', 0xc0];
    let failure = Failure {
        code: Code::Application,
        kind: String::new(),
        message: "no".into(),
        chain: Vec::new(),
    };
    assert_eq!(
        Envelope::read(&answer),
        Ok(Envelope::Answer {
            id: 9,
            outcome: Err(failure)
        })
    );
}

#[test]
fn what_is_wrong_is_told_apart() {
    for (bytes, error) in [
        (&[][..], WireError::Truncated),
        (&[0xc0], WireError::Shape),
        (&[0x90], WireError::Truncated),
        (&[0x92, 8, 0], WireError::UnknownType(8)),
        (&[0x93, 0, 1, 0xa0], WireError::Shape),
        (&[0x94, 0, 0xff, 0xa0, 0x90], WireError::Shape),
        (&[0x94, 0, 0xd0, 0xff, 0xa0, 0x90], WireError::Shape),
        (&[0x94, 0, 1, 0xa1, 0xff, 0x90], WireError::Utf8),
        (&[0x92, 6, 1, 0], WireError::Trailing),
        (&[0x94, 3, 1, 2, 0], WireError::Shape),
        (&[0x94, 0, 1, 0xa0, 0xc1], WireError::Shape),
    ] {
        assert_eq!(Envelope::read(bytes), Err(error), "{bytes:02x?}");
    }
}

#[test]
fn what_a_later_version_adds_is_passed_over() {
    // A header with an unknown key, and elements behind it.
    let call = [
        0x96, 0, 1, 0xa1, b'm', 0x90, 0x82, 0xa1, b'z', 0x91, 1, 0xa1, b'a', 5, 0xc3,
    ];
    let header = Header {
        answered: Some(5),
        ..Header::default()
    };
    assert_eq!(
        Envelope::read(&call),
        Ok(Envelope::Call {
            id: 1,
            method: "m",
            params: 5..6,
            header
        })
    );
}
