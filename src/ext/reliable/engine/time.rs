//! Time as the engine sees it.

use std::time::Duration;

/// Microseconds since 1970 when the process began, and on from there whatever happens to the clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub(in crate::ext::reliable) struct Time(pub(in crate::ext::reliable) u64);

impl Time {
    pub(in crate::ext::reliable) fn after(self, time: Duration) -> Time {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        // Keys of the store are signed nowhere, but far in the future is far enough.
        Time(self.0.saturating_add(micros).min(i64::MAX as u64))
    }

    pub(in crate::ext::reliable) fn since(self, before: Time) -> Duration {
        Duration::from_micros(self.0.saturating_sub(before.0))
    }
}
