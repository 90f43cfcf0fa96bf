//! What the latest reads meant, by their exact bytes, so that a polling agent is not parsed anew each
//! time. The same bytes always mean the same, so nothing here can be wrong; it can only be forgotten.
//!
//! Only what merely observes is kept: the text of anything else may hold what an agent wants to store.

use std::collections::HashSet;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Attempt, Operation};

use super::generations::Generations;

/// Requests longer than this are rare and not worth their room.
const LONGEST_BYTES: usize = 16 * 1024;

/// Requests of one generation. What is made of them takes about fifteen times as much.
const GENERATION_BYTES: usize = 256 * 1024;

/// So many requests are known to have come once.
const SEEN: usize = 4096;

type Key = (UpstreamName, Bytes);

/// What the requests meant that came more than once.
pub(crate) struct Remembered(Mutex<Meanings>);

struct Meanings {
    known: Generations<Key, Operation>,
    /// Hashes of what came once. Most never come again, and keeping what they meant would cost more than it
    /// saves. Two requests with one hash only mean that the second is kept at once.
    seen: HashSet<u64>,
    hash: RandomState,
}

impl Default for Remembered {
    fn default() -> Self {
        Self(Mutex::new(Meanings {
            known: Generations::new(GENERATION_BYTES),
            seen: HashSet::new(),
            hash: RandomState::new(),
        }))
    }
}

impl Remembered {
    /// What these bytes meant, if that is still known.
    pub(crate) fn of(&self, attempt: &Attempt) -> Option<Operation> {
        if attempt.bytes.len() > LONGEST_BYTES {
            return None;
        }
        let key = (attempt.upstream.clone(), attempt.bytes.clone());
        self.meanings().known.get(&key, attempt.bytes.len())
    }

    /// Keeps what a read meant, if it came before.
    pub(crate) fn keep(&self, attempt: &Attempt, meaning: &Operation) {
        if attempt.bytes.len() > LONGEST_BYTES || !meaning.only_observes() {
            return;
        }
        let key = (attempt.upstream.clone(), attempt.bytes.clone());
        let mut meanings = self.meanings();
        if meanings.came_before(&key) {
            let bytes = attempt.bytes.len();
            meanings.known.keep(key, meaning.clone(), bytes);
        }
    }

    fn meanings(&self) -> MutexGuard<'_, Meanings> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Meanings {
    fn came_before(&mut self, key: &Key) -> bool {
        if self.seen.len() >= SEEN {
            self.seen.clear();
        }
        !self.seen.insert(self.hash.hash_one(key))
    }
}

impl fmt::Debug for Remembered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Remembered(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tagout_core::effect::{Effect, EffectOn};
    use tagout_core::operation::Exact;
    use tagout_core::resource::Resource;

    fn attempt(text: &str) -> Attempt {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        Attempt {
            upstream: "railway".parse().unwrap(),
            bytes,
        }
    }

    fn meaning(effect: Effect) -> Operation {
        Operation {
            upstream: "railway".parse().unwrap(),
            summary: "x".into(),
            exact: Exact::new(Bytes::new()),
            shown: "x".into(),
            canonical: serde_json::Value::Null,
            effects: vec![EffectOn::new(effect, Resource::anything(), "test")],
            secrets: Vec::new(),
        }
    }

    #[test]
    fn reads_are_remembered_by_their_exact_bytes_and_nothing_else_is() {
        let remembered = Remembered::default();
        remembered.keep(&attempt("read"), &meaning(Effect::Read));
        assert!(remembered.of(&attempt("read")).is_none(), "it came once");
        for _ in 0..2 {
            remembered.keep(&attempt("read"), &meaning(Effect::Read));
            remembered.keep(&attempt("write"), &meaning(Effect::Write));
            remembered.keep(
                &attempt(&"x".repeat(LONGEST_BYTES + 1)),
                &meaning(Effect::Read),
            );
        }
        assert!(remembered.of(&attempt("read")).is_some());
        assert!(remembered.of(&attempt("read ")).is_none());
        assert!(remembered.of(&attempt("write")).is_none());
        assert!(
            remembered
                .of(&attempt(&"x".repeat(LONGEST_BYTES + 1)))
                .is_none()
        );
        let mut elsewhere = attempt("read");
        elsewhere.upstream = "other".parse().unwrap();
        assert!(remembered.of(&elsewhere).is_none());
    }

    #[test]
    fn room_is_bounded_and_what_is_used_stays() {
        let remembered = Remembered::default();
        let text = |number: usize| format!("{number:>10}{}", "x".repeat(8 * 1024));
        for number in 0..1000 {
            for _ in 0..2 {
                remembered.keep(&attempt(&text(number)), &meaning(Effect::Read));
            }
            assert!(
                number == 0 || remembered.of(&attempt(&text(0))).is_some(),
                "{number}"
            );
        }
        let held = remembered.meanings().known.len();
        assert!(
            held * 8 * 1024 <= 2 * GENERATION_BYTES + 16 * 1024,
            "{held}"
        );
    }
}
