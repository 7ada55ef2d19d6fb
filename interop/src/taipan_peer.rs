//! The implementation under test, as a [`Peer`].

use std::time::Duration;

use taipan::{
    AnySocket, Context, Message, Options, RecvError, SendErrorKind, SocketKind, config::Security,
};

use crate::peer::{Frames, PATIENCE, Peer, PeerOptions, Refusal};

/// A socket of taipan with a context of its own.
#[derive(Debug)]
pub struct TaipanPeer {
    socket: AnySocket,
    _context: Context,
}

impl TaipanPeer {
    /// Creates the socket.
    pub fn new(options: &PeerOptions) -> Self {
        Self::with(options, |_| {})
    }

    /// Creates the socket, with a security mechanism.
    pub fn secured(options: &PeerOptions, security: Security) -> Self {
        Self::with(options, |options| options.security = security)
    }

    /// Creates the socket with more options.
    pub fn with(wanted: &PeerOptions, change: impl FnOnce(&mut Options)) -> Self {
        let context = Context::new();
        let mut options = Options::default();
        options.routing_id = wanted.routing_id.clone().into();
        options.router_mandatory = true;
        options.linger = Some(Duration::from_secs(5));
        change(&mut options);
        let socket = AnySocket::of(&context, wanted.kind, options).expect("valid options");
        Self {
            socket,
            _context: context,
        }
    }

    /// The socket itself.
    pub fn socket(&self) -> &AnySocket {
        &self.socket
    }

    /// Subscribes as the kind of the socket wants it: an XSUB does it by sending.
    fn tell(&mut self, subscribe: bool, topic: &[u8]) {
        if self.socket.kind() == SocketKind::XSub {
            let message = [&[u8::from(subscribe)], topic].concat();
            self.socket.blocking_send(message).expect("a subscription");
        } else if subscribe {
            self.socket.subscribe(topic).expect("a subscription");
        } else {
            self.socket.unsubscribe(topic).expect("a cancellation");
        }
    }
}

impl Peer for TaipanPeer {
    fn bind(&mut self, endpoint: &str) -> String {
        match self.socket.bind(endpoint) {
            Ok(resolved) => resolved.to_string(),
            Err(error) => panic!("taipan binds {endpoint}: {error}"),
        }
    }

    fn connect(&mut self, endpoint: &str) {
        if let Err(error) = self.socket.connect(endpoint) {
            panic!("taipan connects to {endpoint}: {error}");
        }
    }

    fn subscribe(&mut self, topic: &[u8]) {
        self.tell(true, topic);
    }

    fn unsubscribe(&mut self, topic: &[u8]) {
        self.tell(false, topic);
    }

    fn send(&mut self, message: &[Vec<u8>]) -> Result<(), Refusal> {
        let message = Message::from_frames(message.iter().map(Vec::as_slice));
        match self.socket.blocking_send_timeout(message, PATIENCE) {
            Ok(()) => Ok(()),
            Err(error) => match error.kind() {
                SendErrorKind::TimedOut => Err(Refusal::TimedOut),
                SendErrorKind::Unroutable => Err(Refusal::Unroutable),
                kind => panic!("taipan sends: {kind}"),
            },
        }
    }

    fn recv(&mut self, timeout: Duration) -> Option<Frames> {
        match self.socket.blocking_recv_timeout(timeout) {
            Ok(message) => Some(message.iter().map(|frame| frame.to_vec()).collect()),
            Err(RecvError::TimedOut) => None,
            Err(error) => panic!("taipan receives: {error}"),
        }
    }
}
