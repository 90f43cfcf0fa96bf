//! Time that can't be turned back or forward by whoever sets the wall clock.

use std::sync::Arc;

use tagout_core::time::{Clock, UnixMs};

/// The wall clock and the monotonic one together, from the moment the engine started.
pub(crate) struct Steady {
    clock: Arc<dyn Clock>,
    wall_at_start: UnixMs,
    monotonic_at_start_ms: u64,
}

impl Steady {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            wall_at_start: clock.now(),
            monotonic_at_start_ms: clock.monotonic_ms(),
            clock,
        }
    }

    /// The later of both, for everything that ends: a wall clock that is set back revives nothing.
    pub(crate) fn now(&self) -> UnixMs {
        self.clock.now().max(self.ticked())
    }

    /// The earlier of both, for everything that must not come too soon: a wall clock that is set
    /// forward shortens no delay.
    pub(crate) fn surely(&self) -> UnixMs {
        self.clock.now().min(self.ticked())
    }

    /// Milliseconds that only ever grow.
    pub(crate) fn monotonic_ms(&self) -> u64 {
        self.clock.monotonic_ms()
    }

    fn ticked(&self) -> UnixMs {
        let passed = self
            .clock
            .monotonic_ms()
            .saturating_sub(self.monotonic_at_start_ms);
        self.wall_at_start.plus_ms(passed)
    }
}

impl Clock for Steady {
    fn now(&self) -> UnixMs {
        Self::now(self)
    }

    fn monotonic_ms(&self) -> u64 {
        Self::monotonic_ms(self)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    struct Set(Mutex<(u64, u64)>);

    impl Clock for Set {
        fn now(&self) -> UnixMs {
            UnixMs(self.0.lock().unwrap().0)
        }

        fn monotonic_ms(&self) -> u64 {
            self.0.lock().unwrap().1
        }
    }

    #[test]
    fn neither_clock_alone_moves_time_the_dangerous_way() {
        let set = Arc::new(Set(Mutex::new((1000, 5))));
        let steady = Steady::new(Arc::clone(&set) as Arc<_>);
        for (wall, monotonic, now, surely) in [
            (1000, 5, 1000, 1000),
            (1010, 15, 1010, 1010),
            (10, 25, 1020, 10),
            (9000, 25, 9000, 1020),
        ] {
            *set.0.lock().unwrap() = (wall, monotonic);
            assert_eq!(
                (steady.now(), steady.surely()),
                (UnixMs(now), UnixMs(surely))
            );
        }
    }
}
