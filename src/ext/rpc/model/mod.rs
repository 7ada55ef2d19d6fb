//! What calls are made of: values, errors, services. Plain data and codecs; nothing here sends anything.

mod codec;
mod error;
mod payload;
mod raw;
mod service;
mod trace;

pub use codec::{Codec, CodecError, MsgPack};
pub use error::{Fault, RpcError};
pub use payload::Payload;
pub use raw::Raw;
pub use service::{Method, MethodKind, Reply, Request, Service};
pub use trace::TraceContext;

pub(super) use error::causes;
pub(super) use trace::Traced;
