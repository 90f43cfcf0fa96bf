//! The system's clocks, as the gateway reads them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use tagout_core::time::{Clock, UnixMs};

/// The system's clocks.
pub(crate) struct SystemClock(pub(crate) Instant);

impl Clock for SystemClock {
    fn now(&self) -> UnixMs {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since_ms = since.unwrap_or_default().as_millis();
        UnixMs(u64::try_from(since_ms).unwrap_or(u64::MAX))
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}
