//! The errors of the public API. Each says whose fault it is and, where a message was refused, gives it
//! back. The comment behind a variant names libzmq's error.

use std::error::Error;
use std::fmt;
use std::io;

use crate::config::EndpointError;
use crate::message::Message;

/// Why a message was not sent; the message is inside.
#[derive(Debug, Clone, PartialEq)]
pub struct SendError {
    kind: SendErrorKind,
    message: Message,
}

/// Why a message was not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendErrorKind {
    /// No peer has room now, and the call does not wait (EAGAIN).
    WouldBlock,
    /// No peer had room within the time given (EAGAIN).
    TimedOut,
    /// The socket or its context is closed (ETERM).
    Closed,
    /// It is not the socket's turn to send: a REQ waits for its reply, a REP has no request (EFSM).
    State,
    /// No such peer (EHOSTUNREACH).
    Unroutable,
    /// The message can never be sent on this socket; why (EINVAL).
    Invalid(&'static str),
    /// A blocking call would have to wait, but the system has no descriptor left to wait with (EMFILE).
    Exhausted,
}

impl SendError {
    /// A refusal, for layers that refuse messages themselves.
    pub fn new(kind: SendErrorKind, message: Message) -> Self {
        SendError { kind, message }
    }

    /// Why.
    pub fn kind(&self) -> SendErrorKind {
        self.kind
    }

    /// The message that was not sent.
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// Takes the message back.
    pub fn into_message(self) -> Message {
        self.message
    }
}

impl fmt::Display for SendErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendErrorKind::WouldBlock => f.write_str("no peer has room for the message now"),
            SendErrorKind::TimedOut => f.write_str("no peer had room for the message in time"),
            SendErrorKind::Closed => f.write_str("the socket is closed"),
            SendErrorKind::State => f.write_str("it is not this socket's turn to send"),
            SendErrorKind::Unroutable => f.write_str("there is no such peer"),
            SendErrorKind::Exhausted => {
                f.write_str("the system has no descriptor left to wait with")
            }
            SendErrorKind::Invalid(why) => write!(f, "the message cannot be sent here: {why}"),
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)
    }
}

impl Error for SendError {}

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
// A word wide, for the sake of the message that could be in its place; see `message/frame.rs`.
#[repr(u64)]
pub enum RecvError {
    /// Nothing has arrived, and the call does not wait (EAGAIN).
    WouldBlock,
    /// Nothing arrived within the time given (EAGAIN).
    TimedOut,
    /// The socket or its context is closed (ETERM).
    Closed,
    /// It is not the socket's turn to receive: a REQ has not asked, a REP has not answered (EFSM).
    State,
    /// A blocking call would have to wait, but the system has no descriptor left to wait with (EMFILE).
    Exhausted,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RecvError::WouldBlock => "nothing has arrived",
            RecvError::TimedOut => "nothing arrived in time",
            RecvError::Closed => "the socket is closed",
            RecvError::State => "it is not this socket's turn to receive",
            RecvError::Exhausted => "the system has no descriptor left to wait with",
        })
    }
}

impl Error for RecvError {}

/// Why an endpoint could not be bound.
#[derive(Debug)]
#[non_exhaustive]
pub enum BindError {
    /// The text is not an endpoint (EINVAL).
    Endpoint(EndpointError),
    /// No transport is registered for this scheme (EPROTONOSUPPORT).
    UnknownScheme(String),
    /// Somebody listens there (EADDRINUSE).
    AddressInUse,
    /// This machine has no such address (EADDRNOTAVAIL, ENODEV).
    AddressNotAvailable,
    /// The socket or its context is closed (ETERM).
    Closed,
    /// The system said something else.
    Io(io::Error),
}

impl From<io::Error> for BindError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => BindError::AddressInUse,
            io::ErrorKind::AddrNotAvailable => BindError::AddressNotAvailable,
            _ => BindError::Io(error),
        }
    }
}

impl From<EndpointError> for BindError {
    fn from(error: EndpointError) -> Self {
        BindError::Endpoint(error)
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::Endpoint(error) => write!(f, "{error}"),
            BindError::UnknownScheme(scheme) => {
                write!(f, "no transport is registered for {scheme}://")
            }
            BindError::AddressInUse => f.write_str("the address is in use"),
            BindError::AddressNotAvailable => f.write_str("this machine has no such address"),
            BindError::Closed => f.write_str("the socket is closed"),
            BindError::Io(error) => write!(f, "{error}"),
        }
    }
}

impl Error for BindError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BindError::Endpoint(error) => Some(error),
            BindError::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// Why an endpoint was refused at once. What goes wrong later is told by the monitor and tried again.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectError {
    /// The text is not an endpoint, or one that cannot be connected to (EINVAL).
    Endpoint(EndpointError),
    /// No transport is registered for this scheme (EPROTONOSUPPORT).
    UnknownScheme(String),
    /// Another peer of this socket has the routing id given to `connect_as`.
    RoutingIdInUse,
    /// The socket or its context is closed (ETERM).
    Closed,
    /// The context could not start its thread.
    Io(io::Error),
}

impl From<EndpointError> for ConnectError {
    fn from(error: EndpointError) -> Self {
        ConnectError::Endpoint(error)
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConnectError::Endpoint(error) => write!(f, "{error}"),
            ConnectError::UnknownScheme(scheme) => {
                write!(f, "no transport is registered for {scheme}://")
            }
            ConnectError::RoutingIdInUse => f.write_str("another peer has this routing id"),
            ConnectError::Closed => f.write_str("the socket is closed"),
            ConnectError::Io(error) => write!(f, "{error}"),
        }
    }
}

impl Error for ConnectError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            ConnectError::Endpoint(error) => Some(error),
            ConnectError::Io(error) => Some(error),
            _ => None,
        }
    }
}

/// The socket is not bound or connected to this endpoint (ENOENT). Wildcards do not count: use the endpoint
/// that `bind` returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndpointNotFound;

impl fmt::Display for EndpointNotFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the socket is not bound or connected to this endpoint")
    }
}

impl Error for EndpointNotFound {}

/// Why a subscription was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubscribeError {
    /// An XPUB that is not in manual mode, or has no peer to subscribe (EINVAL).
    NotSupported,
    /// There is no such subscription to take back (EINVAL).
    NotSubscribed,
}

impl fmt::Display for SubscribeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SubscribeError::NotSupported => "this socket takes no subscriptions now",
            SubscribeError::NotSubscribed => "there is no such subscription",
        })
    }
}

impl Error for SubscribeError {}
