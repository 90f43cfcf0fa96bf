//! Stopping a statement: our own random keys towards agents, the servers' keys behind them.
//!
//! A key proves that somebody was told it, so it reaches the one session that it was made for and no other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::error::AgentError;
use super::server::ServerAddress;

/// At most one attempt for each session in this time: a secret of four bytes then takes years to guess.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);

/// Bytes of a secret in protocol 3.0, which has room for no more, and in 3.2.
const LENGTHS: (usize, usize) = (4, 32);

/// What an agent is told, to be able to cancel.
#[derive(Clone)]
pub struct CancelKey {
    /// A number that stands for a process.
    pub process: u32,
    /// What proves that it was told.
    pub secret: Zeroizing<Vec<u8>>,
}

impl std::fmt::Debug for CancelKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CancelKey({}, …)", self.process)
    }
}

/// What a server's session is stopped with.
#[derive(Clone, Debug)]
pub struct CancelTarget {
    /// Which server.
    pub address: ServerAddress,
    /// The server's own key.
    pub key: CancelKey,
}

/// One session's entry.
struct Entry {
    secret: Zeroizing<Vec<u8>>,
    /// Nothing until there is a session at the server.
    target: Option<CancelTarget>,
    tried: Option<Instant>,
}

/// The keys that are in force.
#[derive(Default)]
pub struct Cancels(Mutex<HashMap<u32, Entry>>);

impl std::fmt::Debug for Cancels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cancels({} sessions)", self.entries().len())
    }
}

impl Cancels {
    fn entries(&self) -> MutexGuard<'_, HashMap<u32, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new key for a session that speaks this minor version, in force until what is returned is dropped.
    ///
    /// # Errors
    /// [`AgentError::Random`].
    pub fn register(self: &Arc<Self>, minor: u16) -> Result<Registered, AgentError> {
        let (short, long) = LENGTHS;
        let mut secret = Zeroizing::new(vec![0; if minor >= 2 { long } else { short }]);
        getrandom::fill(&mut secret).map_err(|_| AgentError::Random)?;
        let mut entries = self.entries();
        let process = unused(&entries)?;
        let entry = Entry {
            secret: secret.clone(),
            target: None,
            tried: None,
        };
        entries.insert(process, entry);
        Ok(Registered {
            cancels: Arc::clone(self),
            key: CancelKey { process, secret },
        })
    }

    /// What to stop for this key, if it is right and not tried too often.
    #[must_use]
    pub fn find(&self, process: u32, secret: &[u8], now: Instant) -> Option<CancelTarget> {
        let mut entries = self.entries();
        let entry = entries.get_mut(&process)?;
        let waited = |tried: Instant| now.saturating_duration_since(tried) >= BETWEEN_ATTEMPTS;
        if !entry.tried.is_none_or(waited) {
            return None;
        }
        entry.tried = Some(now);
        let right = bool::from(entry.secret.as_slice().ct_eq(secret));
        entry.target.clone().filter(|_| right)
    }
}

/// A positive number that stands for no session yet.
fn unused(entries: &HashMap<u32, Entry>) -> Result<u32, AgentError> {
    loop {
        let number = getrandom::u32().map_err(|_| AgentError::Random)? >> 1;
        if number != 0 && !entries.contains_key(&number) {
            return Ok(number);
        }
    }
}

/// A key that is in force.
#[derive(Debug)]
pub struct Registered {
    cancels: Arc<Cancels>,
    key: CancelKey,
}

impl Registered {
    /// What the agent is told.
    #[must_use]
    pub const fn key(&self) -> &CancelKey {
        &self.key
    }

    /// From now on the key stops this.
    pub fn stops(&self, target: Option<CancelTarget>) {
        if let Some(entry) = self.cancels.entries().get_mut(&self.key.process) {
            entry.target = target;
        }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.cancels.entries().remove(&self.key.process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sign_in::tls::ServerTls;

    fn target(process: u32) -> CancelTarget {
        let address = ServerAddress {
            host: "localhost".to_owned(),
            port: 1,
            tls: ServerTls::Off,
            patience: Duration::from_secs(1),
        };
        let secret = Zeroizing::new(vec![1; 4]);
        CancelTarget {
            address,
            key: CancelKey { process, secret },
        }
    }

    #[test]
    fn a_key_stops_its_own_session_while_that_lasts() {
        let cancels = Arc::new(Cancels::default());
        let (old, new) = (cancels.register(0).unwrap(), cancels.register(2).unwrap());
        assert_eq!((old.key().secret.len(), new.key().secret.len()), (4, 32));
        let mut now = Instant::now();
        let mut find = |process, secret: &[u8]| {
            now += BETWEEN_ATTEMPTS;
            let found = cancels.find(process, secret, now);
            found.map(|target| target.key.process)
        };
        assert_eq!(find(new.key().process, &new.key().secret), None);
        old.stops(Some(target(1)));
        new.stops(Some(target(2)));
        assert_eq!(find(old.key().process, &old.key().secret), Some(1));
        assert_eq!(find(new.key().process, &new.key().secret), Some(2));
        assert_eq!(find(new.key().process, &old.key().secret), None);
        assert_eq!(find(new.key().process, &new.key().secret[..31]), None);
        assert_eq!(find(new.key().process, b""), None);
        let key = new.key().clone();
        drop(new);
        assert_eq!(find(key.process, &key.secret), None);
    }

    #[test]
    fn guesses_are_slowed_down() {
        let cancels = Arc::new(Cancels::default());
        let session = cancels.register(0).unwrap();
        session.stops(Some(target(1)));
        let key = session.key();
        let now = Instant::now();
        assert!(cancels.find(key.process, b"no", now).is_none());
        let soon = now + BETWEEN_ATTEMPTS / 2;
        assert!(cancels.find(key.process, &key.secret, soon).is_none());
        let later = now + BETWEEN_ATTEMPTS;
        assert!(cancels.find(key.process, &key.secret, later).is_some());
    }
}
