//! PLAIN between taipan and libzmq, in both roles, whoever binds: right passwords pass, wrong ones are refused with the
//! cause on both sides, and peers without any are turned away.

mod common;

use common::LibzmqPeer;
use taipan::config::{PlainUsers, Security};
use taipan::{HandshakeFault, Monitor, MonitorKind, ProtocolError, SocketKind};
use taipan_interop::{
    End, PATIENCE, Peer, PeerOptions, TaipanPeer, Watchdog, Wire, exchange, fresh_endpoint,
};

const DEALER: PeerOptions = PeerOptions {
    kind: SocketKind::Dealer,
    routing_id: Vec::new(),
};

fn taipan_server() -> TaipanPeer {
    let users = PlainUsers::new()
        .with_user("ada", "engine")
        .with_user("bob", "b");
    TaipanPeer::secured(&DEALER, Security::plain_server(users))
}

fn taipan_client(username: &str, password: &str) -> TaipanPeer {
    TaipanPeer::secured(&DEALER, Security::plain_client(username, password))
}

fn libzmq_client(username: &str, password: &str) -> LibzmqPeer {
    let peer = LibzmqPeer::new(&DEALER);
    peer.socket
        .set_plain_username(Some(username))
        .expect("a user name");
    peer.socket
        .set_plain_password(Some(password))
        .expect("a password");
    peer
}

/// A server of libzmq asks a handler inside its context (ZAP): this one knows ada.
fn libzmq_server() -> LibzmqPeer {
    let context = zmq::Context::new();
    let handler = context.socket(zmq::REP).expect("a socket");
    handler.bind("inproc://zeromq.zap.01").expect("bound");
    // Ends when the context does.
    std::thread::spawn(move || {
        while let Ok(request) = handler.recv_multipart(0) {
            assert_eq!(request.len(), 8, "{request:?}");
            assert_eq!(
                (&request[0][..], &request[5][..]),
                (&b"1.0"[..], &b"PLAIN"[..])
            );
            let right = (&request[6][..], &request[7][..]) == (b"ada", b"engine");
            let status = if right { "200" } else { "400" };
            let user = if right { "ada" } else { "" };
            let reply = [
                b"1.0",
                &request[1][..],
                status.as_bytes(),
                b"",
                user.as_bytes(),
                b"",
            ];
            if handler.send_multipart(reply, 0).is_err() {
                return;
            }
        }
    });
    let peer = LibzmqPeer::in_context(context, &DEALER);
    peer.socket.set_plain_server(true).expect("a server");
    peer
}

fn connect(taipan: &mut TaipanPeer, libzmq: &mut LibzmqPeer, wire: Wire, taipan_binds: bool) {
    if taipan_binds {
        libzmq.connect(&taipan.bind(&fresh_endpoint(wire)));
    } else {
        taipan.connect(&libzmq.bind(&fresh_endpoint(wire)));
    }
}

fn directions(mut test: impl FnMut(Wire, bool)) {
    let _watchdog = Watchdog::for_test();
    for wire in Wire::ALL {
        for taipan_binds in [true, false] {
            test(wire, taipan_binds);
        }
    }
}

/// Works only once the handshake has succeeded.
fn talk(taipan: &mut TaipanPeer, libzmq: &mut LibzmqPeer) {
    exchange(
        End {
            kind: SocketKind::Dealer,
            routing_id: b"",
            peer: taipan,
        },
        End {
            kind: SocketKind::Dealer,
            routing_id: b"",
            peer: libzmq,
        },
    );
}

fn next_fault(monitor: &mut Monitor) -> HandshakeFault {
    loop {
        if let MonitorKind::HandshakeFailed { fault } =
            monitor.blocking_recv().expect("an event").kind
        {
            return fault;
        }
    }
}

/// libzmq's view: the status or the number of the error that its handshake failed with.
fn watch_auth(libzmq: &LibzmqPeer) -> zmq::Socket {
    let failed = zmq::SocketEvent::HANDSHAKE_FAILED_AUTH as i32
        | zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL as i32;
    libzmq
        .socket
        .monitor("inproc://auth", failed)
        .expect("a monitor");
    let events = libzmq.context.socket(zmq::PAIR).expect("a socket");
    events
        .set_rcvtimeo(PATIENCE.as_millis() as i32)
        .expect("a timeout");
    events.connect("inproc://auth").expect("connected");
    events
}

fn failed_status(events: &zmq::Socket) -> u32 {
    let event = events.recv_multipart(0).expect("an event");
    u32::from_ne_bytes(event[0][2..6].try_into().expect("a value"))
}

#[test]
fn taipan_serves_the_right_password() {
    directions(|wire, taipan_binds| {
        for (username, password) in [("ada", "engine"), ("bob", "b")] {
            let (mut server, mut client) = (taipan_server(), libzmq_client(username, password));
            connect(&mut server, &mut client, wire, taipan_binds);
            talk(&mut server, &mut client);
            let users: Vec<_> = server
                .socket()
                .stats()
                .peers
                .into_iter()
                .map(|peer| peer.user_id)
                .collect();
            assert_eq!(users, [username]);
        }
    });
}

#[test]
fn taipan_refuses_the_wrong_password() {
    directions(|wire, taipan_binds| {
        for (username, password) in [("ada", "Engine"), ("eve", "engine"), ("e", "e")] {
            let (mut server, mut client) = (taipan_server(), libzmq_client(username, password));
            let mut monitor = server.socket().monitor();
            let events = watch_auth(&client);
            connect(&mut server, &mut client, wire, taipan_binds);
            let refused = ProtocolError::AccessDenied { status: 400 };
            assert_eq!(next_fault(&mut monitor), HandshakeFault::Auth(refused));
            // Its client knows ERROR only as its server misspells it, and calls the right name an unexpected command.
            assert!([400, 0x1000_0001].contains(&failed_status(&events)));
            assert!(
                !server
                    .socket()
                    .stats()
                    .peers
                    .iter()
                    .any(|peer| peer.connected)
            );
        }
    });
}

#[test]
fn taipan_is_served_with_the_right_password() {
    directions(|wire, taipan_binds| {
        let (mut client, mut server) = (taipan_client("ada", "engine"), libzmq_server());
        connect(&mut client, &mut server, wire, taipan_binds);
        talk(&mut client, &mut server);
    });
}

#[test]
fn taipan_is_refused_with_the_wrong_password() {
    directions(|wire, taipan_binds| {
        for (username, password) in [("ada", "Engine"), ("eve", "engine"), ("", "")] {
            let (mut client, mut server) = (taipan_client(username, password), libzmq_server());
            let mut monitor = client.socket().monitor();
            let events = watch_auth(&server);
            connect(&mut client, &mut server, wire, taipan_binds);
            let told = ProtocolError::PeerError {
                reason: "400".into(),
            };
            assert_eq!(next_fault(&mut monitor), HandshakeFault::Auth(told));
            assert_eq!(failed_status(&events), 400);
        }
    });
}

/// Nobody asks again with credentials that were refused.
#[test]
fn a_refused_client_gives_up() {
    let _watchdog = Watchdog::for_test();
    let (mut client, mut server) = (taipan_client("eve", ""), libzmq_server());
    let mut monitor = client.socket().monitor();
    connect(&mut client, &mut server, Wire::Tcp, false);
    let mut attempts = 0;
    loop {
        match monitor.blocking_recv().expect("an event").kind {
            MonitorKind::ConnectDelayed => attempts += 1,
            MonitorKind::ConnectRetried { .. } => panic!("it tries again"),
            MonitorKind::Closed => break,
            _ => {}
        }
    }
    assert_eq!(attempts, 1);
}

#[test]
fn mechanisms_must_be_the_same() {
    directions(|wire, taipan_binds| {
        let mismatch = |ours, theirs: &str| {
            HandshakeFault::Protocol(ProtocolError::MechanismMismatch {
                ours,
                theirs: theirs.into(),
            })
        };
        let (mut server, mut client) = (taipan_server(), LibzmqPeer::new(&DEALER));
        let mut monitor = server.socket().monitor();
        connect(&mut server, &mut client, wire, taipan_binds);
        assert_eq!(next_fault(&mut monitor), mismatch("PLAIN", "NULL"));

        let (mut plain, mut open) = (libzmq_client("ada", "engine"), TaipanPeer::new(&DEALER));
        let mut monitor = open.socket().monitor();
        connect(&mut open, &mut plain, wire, taipan_binds);
        assert_eq!(next_fault(&mut monitor), mismatch("NULL", "PLAIN"));
    });
}
