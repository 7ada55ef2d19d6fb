//! ZeroMQ-style sockets: one API from thread to thread, process to process and host to host.

pub mod config;
pub mod message;
mod pattern;
mod pipe;
mod routing;
// Public for the fuzz targets and benchmarks; not part of the stable interface.
#[doc(hidden)]
pub mod zmtp;
