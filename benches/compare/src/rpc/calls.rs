//! What every peer is for a sample: a client, on a runtime like everybody's.

use std::future::Future;

use bytes::Bytes;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;

/// A client that every task has a clone of.
pub trait Calls: Clone + Send + 'static {
    /// Calls; how many bytes came back.
    fn call(&self, bytes: Bytes) -> impl Future<Output = Outcome<usize>> + Send;
}

pub fn runtime() -> Outcome<Runtime> {
    Ok(Builder::new_current_thread().enable_all().build()?)
}
