//! libzmq as a [`Peer`], in this process or in a child that can be killed.
#![allow(dead_code)]

use std::process::Command;
use std::time::Duration;

use taipan::SocketKind;
use taipan_interop::{Frames, PATIENCE, Peer, PeerOptions, Refusal, RemotePeer};

/// A socket of libzmq with a context of its own.
pub struct LibzmqPeer {
    pub socket: zmq::Socket,
    pub context: zmq::Context,
    kind: SocketKind,
}

pub fn zmq_kind(kind: SocketKind) -> zmq::SocketType {
    match kind {
        SocketKind::Pair => zmq::PAIR,
        SocketKind::Pub => zmq::PUB,
        SocketKind::Sub => zmq::SUB,
        SocketKind::Req => zmq::REQ,
        SocketKind::Rep => zmq::REP,
        SocketKind::Dealer => zmq::DEALER,
        SocketKind::Router => zmq::ROUTER,
        SocketKind::Pull => zmq::PULL,
        SocketKind::Push => zmq::PUSH,
        SocketKind::XPub => zmq::XPUB,
        SocketKind::XSub => zmq::XSUB,
        kind => panic!("libzmq has no stable {kind}"),
    }
}

impl LibzmqPeer {
    pub fn new(options: &PeerOptions) -> Self {
        Self::in_context(zmq::Context::new(), options)
    }

    pub fn in_context(context: zmq::Context, options: &PeerOptions) -> Self {
        let kind = options.kind;
        let socket = context.socket(zmq_kind(kind)).expect("a socket");
        socket.set_linger(5000).expect("linger");
        socket
            .set_sndtimeo(PATIENCE.as_millis() as i32)
            .expect("a send timeout");
        if !options.routing_id.is_empty() {
            socket
                .set_identity(&options.routing_id)
                .expect("a routing id");
        }
        if kind == SocketKind::Router {
            socket.set_router_mandatory(true).expect("a router");
        }
        Self {
            socket,
            context,
            kind,
        }
    }

    fn tell(&mut self, subscribe: bool, topic: &[u8]) {
        let told = if self.kind == SocketKind::XSub {
            self.socket
                .send([&[u8::from(subscribe)], topic].concat(), 0)
        } else if subscribe {
            self.socket.set_subscribe(topic)
        } else {
            self.socket.set_unsubscribe(topic)
        };
        told.expect("a subscription");
    }
}

impl Peer for LibzmqPeer {
    fn bind(&mut self, endpoint: &str) -> String {
        if let Err(error) = self.socket.bind(endpoint) {
            panic!("libzmq binds {endpoint}: {error}");
        }
        self.socket
            .get_last_endpoint()
            .expect("bound")
            .expect("text")
    }

    fn connect(&mut self, endpoint: &str) {
        if let Err(error) = self.socket.connect(endpoint) {
            panic!("libzmq connects to {endpoint}: {error}");
        }
    }

    fn subscribe(&mut self, topic: &[u8]) {
        self.tell(true, topic);
    }

    fn unsubscribe(&mut self, topic: &[u8]) {
        self.tell(false, topic);
    }

    fn send(&mut self, message: &[Vec<u8>]) -> Result<(), Refusal> {
        match self.socket.send_multipart(message, 0) {
            Ok(()) => Ok(()),
            Err(zmq::Error::EAGAIN) => Err(Refusal::TimedOut),
            Err(zmq::Error::EHOSTUNREACH) => Err(Refusal::Unroutable),
            Err(error) => panic!("libzmq sends: {error}"),
        }
    }

    fn recv(&mut self, timeout: Duration) -> Option<Frames> {
        self.socket
            .set_rcvtimeo(timeout.as_millis() as i32)
            .expect("a timeout");
        match self.socket.recv_multipart(0) {
            Ok(message) => Some(message),
            Err(zmq::Error::EAGAIN) => None,
            Err(error) => panic!("libzmq receives: {error}"),
        }
    }
}

/// Set in a child process that is to be a peer, see [`libzmq_process`].
const ROLE: &str = "TAIPAN_INTEROP_LIBZMQ_PEER";

/// A socket of libzmq in a process of its own: this test binary again, as its test `libzmq_peer_process`.
pub fn libzmq_process(options: &PeerOptions) -> RemotePeer {
    let mut program = Command::new(std::env::current_exe().expect("the test binary"));
    program.args([
        "libzmq_peer_process",
        "--exact",
        "--nocapture",
        "--test-threads=1",
        "--quiet",
    ]);
    RemotePeer::start(program.env(ROLE, "1"), options)
}

/// The body of the test `libzmq_peer_process`, which does nothing unless it is such a child.
pub fn serve_if_child() {
    if std::env::var_os(ROLE).is_some() {
        taipan_interop::serve(|options| Box::new(LibzmqPeer::new(options)));
    }
}

/// A socket of taipan in a process of its own.
pub fn taipan_process(options: &PeerOptions) -> RemotePeer {
    RemotePeer::start(
        &mut Command::new(env!("CARGO_BIN_EXE_taipan-peer")),
        options,
    )
}
