//! PLAIN in pairs and against wrong peers.

use super::{Pair, config, events, frame, greeting_of};
use crate::config::{
    AuthRequest, Authenticator, Credentials, PlainUsers, Security, SocketKind, Verdict,
};
use crate::zmtp::{Blame, Event, Handshake, HandshakeConfig, Progress, ProtocolError};

fn client(password: &str) -> HandshakeConfig {
    let mut config = config(SocketKind::Dealer);
    config.security = Security::plain_client("ada", password);
    config
}

fn server(authenticator: impl Authenticator + 'static) -> HandshakeConfig {
    let mut config = config(SocketKind::Router);
    config.security = Security::plain_server(authenticator);
    config.zap_domain = "inner".into();
    config.peer_address = "192.0.2.7".into();
    config
}

fn users() -> PlainUsers {
    PlainUsers::new().with_user("ada", "engine")
}

#[test]
fn the_right_password_opens_and_names_the_user() {
    for step in [1, 5, 1000] {
        let mut pair = Pair::new(client("engine"), server(users()));
        assert_eq!(pair.drive(step), (None, None));
        let Some(Event::Ready { peer, user_id, .. }) = pair.b.next_event() else {
            panic!("server not ready");
        };
        assert_eq!((peer.mechanism, user_id.as_str()), ("PLAIN", "ada"));
        assert_eq!(peer.kind, Some(SocketKind::Dealer));
        let Some(Event::Ready { peer, user_id, .. }) = pair.a.next_event() else {
            panic!("client not ready");
        };
        assert_eq!(
            (peer.kind, user_id.as_str()),
            (Some(SocketKind::Router), "")
        );
    }
}

#[test]
fn a_wrong_password_fails_both_ends_with_an_auth_error() {
    let mut pair = Pair::new(client("motor"), server(users()));
    let (client, server) = pair.drive(3);
    let reason = "400".to_string();
    assert_eq!(client, Some(ProtocolError::PeerError { reason }));
    assert_eq!(server, Some(ProtocolError::AccessDenied { status: 400 }));
    for error in [client, server].into_iter().flatten() {
        assert_eq!(error.blame(), Blame::Auth);
        assert_eq!(error.monitor_code(), Some(400));
    }
    assert_eq!((events(&mut pair.a), events(&mut pair.b)), (vec![], vec![]));
}

struct Never;

impl Authenticator for Never {
    fn authenticate(&self, request: &AuthRequest<'_>) -> Verdict {
        assert_eq!(request.mechanism, "PLAIN");
        assert_eq!(request.domain, "inner");
        assert_eq!(request.peer_address, "192.0.2.7");
        let (username, password) = (b"ada".as_slice(), b"engine".as_slice());
        assert_eq!(
            request.credentials,
            Credentials::Plain { username, password }
        );
        Verdict::Deny
    }
}

#[test]
fn a_denial_is_silent() {
    let mut pair = Pair::new(client("engine"), server(Never));
    let (client, server) = pair.drive(1000);
    assert_eq!(client, None);
    assert_eq!(server, Some(ProtocolError::AccessDenied { status: 300 }));
}

#[test]
fn the_commands_are_those_of_the_rfc() {
    let mut handshake = Handshake::new(client("engine"));
    handshake.input(&greeting_of(1, b"PLAIN")).unwrap();
    assert!(
        handshake
            .output()
            .ends_with(b"\x04\x11\x05HELLO\x03ada\x06engine")
    );
    handshake.consume_output(usize::MAX / 2);
    assert_eq!(
        handshake.input(b"\x04\x08\x07WELCOME"),
        Ok(Progress::NeedMore)
    );
    let initiate = b"\x04\x2c\x08INITIATE\x0bSocket-Type\0\0\0\x06DEALER\x08Identity\0\0\0\0";
    assert_eq!(handshake.output(), &initiate[..]);
}

#[test]
fn mechanisms_must_be_the_same_on_both_sides() {
    let mut pair = Pair::new(config(SocketKind::Dealer), server(users()));
    let mismatch = |ours, theirs: &str| {
        Some(ProtocolError::MechanismMismatch {
            ours,
            theirs: theirs.into(),
        })
    };
    assert_eq!(
        pair.drive(1000),
        (mismatch("NULL", "PLAIN"), mismatch("PLAIN", "NULL"))
    );
    // Byte for byte: a longer name with the same beginning is another mechanism.
    let error = Handshake::new(config(SocketKind::Sub)).input(&greeting_of(1, b"NULL\0x"));
    assert_eq!(error.err(), mismatch("NULL", "NULL\\x00x"));
}

#[test]
fn commands_out_of_turn_are_refused() {
    let unexpected = |expected, found: &str| ProtocolError::UnexpectedCommand {
        expected,
        found: found.into(),
    };
    let cases = [
        (
            server(users()),
            frame(4, b"\x08INITIATE"),
            unexpected("HELLO", "INITIATE"),
        ),
        (
            client("engine"),
            frame(4, b"\x05READY"),
            unexpected("WELCOME", "READY"),
        ),
        (
            client("engine"),
            frame(4, b"\x05HELLO\0\0"),
            unexpected("WELCOME", "HELLO"),
        ),
    ];
    for (config, command, cause) in cases {
        let mut handshake = Handshake::new(config);
        handshake.input(&greeting_of(1, b"PLAIN")).unwrap();
        assert_eq!(handshake.input(&command), Err(cause));
    }
}

#[test]
fn malformed_hello_and_welcome_have_their_causes() {
    let command = "HELLO";
    let truncated = ProtocolError::TruncatedCommand { command };
    let cases = [
        (&b"\x05HELLO"[..], truncated.clone()),
        (b"\x05HELLO\x03ad", truncated.clone()),
        (b"\x05HELLO\x03ada\x09engine", truncated),
        (
            b"\x05HELLO\x03ada\x06engine!",
            ProtocolError::TrailingBytes { command, count: 1 },
        ),
    ];
    for (body, cause) in cases {
        let mut handshake = Handshake::new(server(users()));
        handshake.input(&greeting_of(1, b"PLAIN")).unwrap();
        assert_eq!(handshake.input(&frame(4, body)), Err(cause));
    }
    let mut handshake = Handshake::new(client("engine"));
    handshake.input(&greeting_of(1, b"PLAIN")).unwrap();
    let command = "WELCOME";
    assert_eq!(
        handshake.input(&frame(4, b"\x07WELCOME!")),
        Err(ProtocolError::TrailingBytes { command, count: 1 })
    );
}

/// libzmq means ERROR and says `^RROR`: in its source `"\x05ERROR"` has the digit E in the escape.
#[test]
fn the_error_of_libzmq_is_understood() {
    let mut handshake = Handshake::new(client("wrong"));
    handshake.input(&greeting_of(1, b"PLAIN")).unwrap();
    let reason = "400".to_owned();
    assert_eq!(
        handshake.input(&frame(4, b"^RROR\x03400")),
        Err(ProtocolError::PeerError { reason })
    );
}
