//! How one socket tells another, in the same process, that a pipe has changed.

use super::PipeId;

/// Rung by the far end of an in-process lane. Must be cheap, must not block and must not call back.
pub(crate) trait Doorbell: Send + Sync {
    /// `pipe` went from empty to not empty, or its far end is gone.
    fn readable(&self, pipe: PipeId);
    /// `pipe` has room again after it was full.
    fn writable(&self, pipe: PipeId);
}
