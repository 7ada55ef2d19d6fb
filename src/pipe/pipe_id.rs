//! The name of a pipe.

/// Names one pipe of a socket while the pipe exists; reused afterwards.
pub(crate) type PipeId = usize;
