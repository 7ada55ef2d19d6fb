//! Layers that users could have written themselves: they know the public API and nothing else.

mod proxy;
#[cfg(feature = "reliable")]
pub mod reliable;
#[cfg(feature = "rpc")]
pub mod rpc;
#[cfg(feature = "reliable")]
pub mod store;
#[cfg(feature = "throttle")]
pub mod throttle;

pub use proxy::{
    Proxy, ProxyCounters, ProxyEnd, ProxyError, ProxyHandle, ProxyReport, ProxySide,
    ProxyStatistics,
};
