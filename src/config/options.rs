//! The options of a socket: every field, its unit and its default.
//!
//! What it is not: the rules between them (`validate.rs`) or what they do (each floor obeys its own). Invariants:
//! plain data; a time is a [`Duration`], and `None` means "none" or "for ever", as the field says; the defaults
//! are those of ZeroMQ except for [`Options::linger`].

use std::time::Duration;

use bytes::Bytes;

use super::peers::IpcPeers;
use super::security::Security;
use super::shm::{SharedMemory, Spin};

/// The options of a socket. Start from [`Options::default`] and change fields.
///
/// ```
/// use std::time::Duration;
/// use taipan::config::Options;
///
/// let mut options = Options::default();
/// options.send_hwm = 10;
/// options.send_timeout = Some(Duration::from_secs(1));
/// assert!(options.validate().is_ok());
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// How many messages wait for a peer before sending waits; 0 for no limit. Default 1000.
    pub send_hwm: usize,
    /// How many messages of a peer wait for the user before the peer has to wait; 0 for no limit. Default 1000.
    pub recv_hwm: usize,
    /// As [`Options::send_hwm`], in bytes of payload; 0 for no limit. Default 0.
    pub send_hwm_bytes: usize,
    /// As [`Options::recv_hwm`], in bytes of payload; 0 for no limit. Default 0.
    pub recv_hwm_bytes: usize,
    /// Keeps only the newest message for each peer. Single frames only. Default false.
    pub conflate: bool,
    /// Queues messages only for peers that are connected, not for those that may come. Default false.
    pub immediate: bool,
    /// How long closing waits for messages that were not sent yet; `None` for ever, zero not at all. Default 30 s,
    /// where ZeroMQ waits for ever.
    pub linger: Option<Duration>,
    /// How long a blocking send waits; `None` for ever. Default `None`.
    pub send_timeout: Option<Duration>,
    /// How long a blocking receive waits; `None` for ever. Default `None`.
    pub recv_timeout: Option<Duration>,
    /// The largest frame a peer may send, in bytes; a larger one ends the connection. Default `None`: no limit.
    pub max_message_size: Option<u64>,
    /// How many connections wait to be accepted. Default 100.
    pub backlog: u32,

    /// The pause before a lost connection is tried again; `None` never tries. Default 100 ms.
    pub reconnect_interval: Option<Duration>,
    /// Doubles the pause at each failure up to this; `None`, or less than the interval, keeps it constant. Default
    /// `None`.
    pub reconnect_max: Option<Duration>,
    /// What ends the trying. Default nothing.
    pub reconnect_stop: ReconnectStop,
    /// How long a connection may take to come about; `None` leaves it to the system. Default `None`.
    pub connect_timeout: Option<Duration>,
    /// How long a handshake may take; `None` for ever. Default 30 s.
    pub handshake_timeout: Option<Duration>,
    /// How long a connection may be silent before we ask for a sign of life; `None` never asks. Default `None`.
    pub heartbeat_interval: Option<Duration>,
    /// After how long a silence the peer shall give us up, at most 6553.5 s, sent in steps of 100 ms; `None` leaves
    /// it to the peer. Default `None`.
    pub heartbeat_ttl: Option<Duration>,
    /// How long we wait for the sign of life; `None` for as long as the interval. Default `None`.
    pub heartbeat_timeout: Option<Duration>,

    /// Our name for ROUTER peers: up to 255 bytes, the first one not zero; empty lets the peer choose. Default empty.
    pub routing_id: Bytes,
    /// ROUTER: a message to an unknown peer is an error instead of being dropped. Default false.
    pub router_mandatory: bool,
    /// ROUTER: a new peer takes a routing id over from an older one. Default false.
    pub router_handover: bool,
    /// Sends one empty message on every new connection (REQ, DEALER, ROUTER). Default false.
    pub probe_router: bool,
    /// REQ: numbers requests, and drops replies with another number. Default false.
    pub req_correlate: bool,
    /// REQ: a new request may be sent before the reply to the last one. Default false.
    pub req_relaxed: bool,
    /// ROUTER: which changes of peers are received as messages. Default none.
    pub router_notify: RouterNotify,
    /// Sent to every new peer. Default `None`.
    pub hello_msg: Option<Bytes>,
    /// Received when a peer that connected to us goes. Default `None`.
    pub disconnect_msg: Option<Bytes>,
    /// Received when a peer we connected to drops off. Default `None`.
    pub hiccup_msg: Option<Bytes>,

    /// XPUB: every subscription is received, not only the first one of a topic. Default false.
    pub xpub_verbose: bool,
    /// XPUB: every subscription and every cancellation is received. Default false.
    pub xpub_verboser: bool,
    /// PUB, XPUB: sending waits for a full subscriber instead of dropping. Default false.
    pub xpub_nodrop: bool,
    /// XPUB: subscriptions are made by the user, not by the peers. Default false.
    pub xpub_manual: bool,
    /// XPUB: as manual, and the next message goes to the last subscriber alone. Default false.
    pub xpub_manual_last_value: bool,
    /// PUB, XPUB, SUB: what does not match is sent and received. Both ends must agree. Default false.
    pub invert_matching: bool,
    /// XPUB, XSUB: only the first frame of a message can be a subscription. Default false.
    pub only_first_subscribe: bool,
    /// XSUB: cancellations of what was not subscribed are sent too. Default false.
    pub xsub_verbose_unsubscribe: bool,
    /// PUB, XPUB: sent to every new subscriber, whatever it subscribed to. Default `None`.
    pub xpub_welcome_msg: Option<Bytes>,

    /// How peers prove who they are. Default [`Security::Null`].
    pub security: Security,
    /// The domain an authenticator is told, up to 255 bytes. Default empty.
    pub zap_domain: String,
    /// Properties told to every peer in the handshake, in order; names begin with `X-`. Default none.
    pub metadata: Vec<(String, Bytes)>,

    /// Whether names may resolve to IPv6 addresses, and `*` listens on IPv6 too. Default false.
    pub ipv6: bool,
    /// The send buffer of the system, in bytes; `None` leaves it to the system. Default `None`.
    pub send_buffer: Option<usize>,
    /// The receive buffer of the system, in bytes; `None` leaves it to the system. Default `None`.
    pub recv_buffer: Option<usize>,
    /// The type of service of IP packets, 0 to 255. Default `None`: the system's.
    pub tos: Option<u32>,
    /// Whether the system probes silent TCP connections; `None` leaves it to the system. Default `None`.
    pub tcp_keepalive: Option<bool>,
    /// After how many lost probes a connection is given up. Default `None`: the system's.
    pub tcp_keepalive_count: Option<u32>,
    /// The silence before the first probe, in whole seconds. Default `None`: the system's.
    pub tcp_keepalive_idle: Option<Duration>,
    /// The pause between probes, in whole seconds. Default `None`: the system's.
    pub tcp_keepalive_interval: Option<Duration>,
    /// How long sent bytes may stay without an answer, in whole milliseconds, before the connection is given up.
    /// Default `None`: the system's.
    pub tcp_max_retransmit: Option<Duration>,
    /// The network device that connections have to go through, 1 to 15 bytes. Default `None`: any.
    pub bind_to_device: Option<String>,

    /// Who may be at the other end of an `ipc://` connection, dialed or accepted. Others are turned away before the
    /// handshake. Default anybody.
    pub ipc_peers: IpcPeers,
    /// Shared memory behind `ipc://` (Linux). Default on: 1 MiB a link and direction, and a pool of 64 MiB a socket.
    pub shared_memory: SharedMemory,
    /// How long a waiting caller looks for messages before it sleeps. Default [`Spin::Auto`].
    pub spin: Spin,
}

/// What ends the trying to reconnect; see [`Options::reconnect_stop`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct ReconnectStop {
    /// The connection was refused.
    pub conn_refused: bool,
    /// The handshake failed.
    pub handshake_failed: bool,
}

/// Which changes of peers a ROUTER receives as messages; see [`Options::router_notify`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RouterNotify {
    /// A peer came.
    pub connect: bool,
    /// A peer went.
    pub disconnect: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            send_hwm: 1000,
            recv_hwm: 1000,
            send_hwm_bytes: 0,
            recv_hwm_bytes: 0,
            conflate: false,
            immediate: false,
            linger: Some(Duration::from_secs(30)),
            send_timeout: None,
            recv_timeout: None,
            max_message_size: None,
            backlog: 100,
            reconnect_interval: Some(Duration::from_millis(100)),
            reconnect_max: None,
            reconnect_stop: ReconnectStop::default(),
            connect_timeout: None,
            handshake_timeout: Some(Duration::from_secs(30)),
            heartbeat_interval: None,
            heartbeat_ttl: None,
            heartbeat_timeout: None,
            routing_id: Bytes::new(),
            router_mandatory: false,
            router_handover: false,
            probe_router: false,
            req_correlate: false,
            req_relaxed: false,
            router_notify: RouterNotify::default(),
            hello_msg: None,
            disconnect_msg: None,
            hiccup_msg: None,
            xpub_verbose: false,
            xpub_verboser: false,
            xpub_nodrop: false,
            xpub_manual: false,
            xpub_manual_last_value: false,
            invert_matching: false,
            only_first_subscribe: false,
            xsub_verbose_unsubscribe: false,
            xpub_welcome_msg: None,
            security: Security::Null,
            zap_domain: String::new(),
            metadata: Vec::new(),
            ipv6: false,
            send_buffer: None,
            recv_buffer: None,
            tos: None,
            tcp_keepalive: None,
            tcp_keepalive_count: None,
            tcp_keepalive_idle: None,
            tcp_keepalive_interval: None,
            tcp_max_retransmit: None,
            bind_to_device: None,
            ipc_peers: IpcPeers::default(),
            shared_memory: SharedMemory::default(),
            spin: Spin::default(),
        }
    }
}
