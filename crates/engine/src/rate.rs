//! How fast things may go: a bucket of tokens for each key.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// How many at once, and how many a second after that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// So many may come at once.
    pub burst: u32,
    /// So many a second are given back.
    pub per_second: u32,
}

/// Buckets by key. Time is given by the caller.
#[derive(Debug)]
pub(crate) struct Buckets<K> {
    rate: Rate,
    buckets: Mutex<HashMap<K, Bucket>>,
}

/// Thousandths of a token, so that slow rates lose nothing to rounding.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    milli: u64,
    at_ms: u64,
}

/// Buckets that are full again are forgotten when there are more than this many.
const SWEEP_AT: usize = 1024;

impl<K: Eq + Hash + Clone> Buckets<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Takes one token; else the milliseconds until there is one.
    pub(crate) fn take(&self, key: &K, now_ms: u64) -> Result<(), u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = u64::from(self.rate.burst) * 1000;
        if buckets.len() > SWEEP_AT {
            buckets.retain(|_, bucket| self.filled(*bucket, now_ms) < full);
        }
        let new = Bucket {
            milli: full,
            at_ms: now_ms,
        };
        let bucket = buckets.entry(key.clone()).or_insert(new);
        let milli = self.filled(*bucket, now_ms);
        *bucket = Bucket {
            milli,
            at_ms: now_ms,
        };
        if milli < 1000 {
            return Err((1000 - milli).div_ceil(u64::from(self.rate.per_second).max(1)));
        }
        bucket.milli -= 1000;
        Ok(())
    }

    fn filled(&self, bucket: Bucket, now_ms: u64) -> u64 {
        let passed = now_ms.saturating_sub(bucket.at_ms);
        let back = passed.saturating_mul(u64::from(self.rate.per_second));
        bucket
            .milli
            .saturating_add(back)
            .min(u64::from(self.rate.burst) * 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_and_then_the_rate() {
        let buckets = Buckets::new(Rate {
            burst: 2,
            per_second: 10,
        });
        let take = |now_ms| buckets.take(&"a", now_ms);
        assert_eq!((take(0), take(0)), (Ok(()), Ok(())));
        assert_eq!(take(0), Err(100));
        assert_eq!(take(99), Err(1));
        assert_eq!(take(100), Ok(()));
        assert_eq!(buckets.take(&"b", 100), Ok(()));
        assert_eq!((take(9000), take(9000)), (Ok(()), Ok(())));
        assert!(take(9000).is_err());
    }
}
