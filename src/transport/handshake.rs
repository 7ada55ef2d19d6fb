//! The handshake on a fresh byte stream, driven by the context's own thread; what comes out is a lane.

use std::fmt;
use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, RawFd};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::ByteStream;
use super::stream::{StreamLane, StreamParts};
use crate::config::{Options, SocketKind};
use crate::pipe::{Lane, Limits};
use crate::zmtp::{
    Established, Handshake, HandshakeConfig, Heartbeat, PeerProperties, Progress, ProtocolError,
};

/// A link that is ready for messages.
pub(crate) struct Link {
    pub(crate) lane: Box<dyn Lane>,
    /// For readiness; the lane owns it and closes it when dropped.
    pub(crate) fd: RawFd,
    pub(crate) peer: PeerProperties,
    pub(crate) user_id: String,
    pub(crate) address: String,
}

/// Why no link came about.
#[derive(Debug)]
pub(crate) enum HandshakeFailure {
    /// The peer closed, or the system reported an error.
    Io(io::Error),
    /// The peer does not speak our protocol, is of the wrong kind, or was refused.
    Protocol(ProtocolError),
    /// It took longer than `handshake_timeout`.
    TimedOut,
}

impl fmt::Display for HandshakeFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandshakeFailure::Io(error) => write!(f, "{error}"),
            HandshakeFailure::Protocol(error) => write!(f, "{error}"),
            HandshakeFailure::TimedOut => f.write_str("the handshake took too long"),
        }
    }
}

impl From<io::Error> for HandshakeFailure {
    fn from(error: io::Error) -> Self {
        HandshakeFailure::Io(error)
    }
}

/// Runs the handshake to its end, within `handshake_timeout`. `wants_ticks` goes to the lane.
pub(crate) async fn shake(
    stream: Box<dyn ByteStream>,
    kind: SocketKind,
    options: &Options,
    wants_ticks: Box<dyn Fn() + Send>,
) -> Result<Link, HandshakeFailure> {
    let address = stream.peer_address();
    let config = HandshakeConfig {
        kind,
        routing_id: options.routing_id.clone(),
        security: options.security.clone(),
        metadata: options.metadata.clone(),
        max_message_size: options.max_message_size,
        peer_address: address.clone(),
        zap_domain: options.zap_domain.clone(),
    };
    let run = converse(stream, Handshake::new(config));
    let (stream, established) = match options.handshake_timeout {
        Some(limit) => tokio::time::timeout(limit, run)
            .await
            .map_err(|_| HandshakeFailure::TimedOut)??,
        None => run.await?,
    };
    Ok(into_link(
        stream,
        established,
        options,
        address,
        wants_ticks,
    ))
}

/// A stream as tokio wants it for the time of the handshake.
struct Watched(Box<dyn ByteStream>);

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

async fn converse(
    stream: Box<dyn ByteStream>,
    mut handshake: Handshake,
) -> Result<(Box<dyn ByteStream>, Established), HandshakeFailure> {
    // Sound as it asks for: the stream owns its descriptor, which stays open until the stream is taken out again.
    #[allow(deprecated)]
    let stream = AsyncFd::with_interest(Watched(stream), Interest::READABLE | Interest::WRITABLE)?;
    let mut buffer = Vec::with_capacity(1024);
    loop {
        write_all(&stream, &mut handshake).await?;
        buffer.clear();
        let count = stream
            .async_io(Interest::READABLE, |stream| stream.0.read(&mut buffer))
            .await?;
        if count == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the peer closed during the handshake",
            )
            .into());
        }
        match handshake.input(&buffer) {
            Ok(Progress::NeedMore) => {}
            Ok(Progress::Done) => {
                write_all(&stream, &mut handshake).await?;
                let established = handshake.finish().map_err(HandshakeFailure::Protocol)?;
                return Ok((stream.into_inner().0, established));
            }
            Err(error) => {
                // The last words tell the peer why; whether they arrive does not matter.
                let _ = write_all(&stream, &mut handshake).await;
                return Err(HandshakeFailure::Protocol(error));
            }
        }
    }
}

async fn write_all(stream: &AsyncFd<Watched>, handshake: &mut Handshake) -> io::Result<()> {
    while !handshake.output().is_empty() {
        let output = handshake.output();
        let count = stream
            .async_io(Interest::WRITABLE, |stream| {
                stream.0.write(&[IoSlice::new(output)])
            })
            .await?;
        handshake.consume_output(count);
    }
    Ok(())
}

fn into_link(
    stream: Box<dyn ByteStream>,
    established: Established,
    options: &Options,
    address: String,
    wants_ticks: Box<dyn Fn() + Send>,
) -> Link {
    let now = Instant::now();
    // Older peers know no PING and would be taken for dead.
    let interval = options
        .heartbeat_interval
        .filter(|_| established.version.has_heartbeat());
    let heartbeat = interval.map(|interval| {
        Heartbeat::new(
            Some(interval),
            options.heartbeat_ttl,
            options.heartbeat_timeout,
            now,
        )
    });
    let fd = stream.as_fd().as_raw_fd();
    let user_id = established.user_id.clone();
    let (peer, encoder, decoder) = established.split();
    let lane = StreamLane::new(StreamParts {
        stream,
        decoder,
        encoder,
        limits: Limits {
            messages: options.send_hwm,
            bytes: options.send_hwm_bytes,
        },
        conflate: options.conflate,
        heartbeat,
        wants_ticks,
    });
    Link {
        lane: Box::new(lane),
        fd,
        peer,
        user_id,
        address,
    }
}
