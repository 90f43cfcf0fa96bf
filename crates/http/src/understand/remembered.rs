//! What the latest reads meant, by their exact bytes, so that a polling agent is not parsed anew each
//! time. The same bytes always mean the same, so nothing here can be wrong; it can only be forgotten.
//!
//! Only what merely observes is kept: the text of anything else may hold what an agent wants to store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Attempt, Operation};

/// Requests longer than this are rare and not worth their room.
const LONGEST_BYTES: usize = 16 * 1024;

/// A generation is this many bytes of requests; there are two, and what is made of them takes some times
/// as much.
const GENERATION_BYTES: usize = 1024 * 1024;

type Meanings = HashMap<(UpstreamName, Bytes), Operation>;

/// Two generations of meanings: when the young one is full, the old one goes.
#[derive(Default)]
pub(crate) struct Remembered(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: Meanings,
    young_bytes: usize,
    old: Meanings,
}

impl Remembered {
    /// What these bytes meant, if that is still known.
    pub(crate) fn of(&self, attempt: &Attempt) -> Option<Operation> {
        if attempt.bytes.len() > LONGEST_BYTES {
            return None;
        }
        let key = (attempt.upstream.clone(), attempt.bytes.clone());
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(&key) {
            return Some(known.clone());
        }
        let known = generations.old.remove(&key)?;
        generations.keep(key, known.clone());
        Some(known)
    }

    /// Keeps what a read meant.
    pub(crate) fn keep(&self, attempt: &Attempt, meaning: &Operation) {
        if attempt.bytes.len() > LONGEST_BYTES || !meaning.only_observes() {
            return;
        }
        let key = (attempt.upstream.clone(), attempt.bytes.clone());
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.keep(key, meaning.clone());
    }
}

impl Generations {
    fn keep(&mut self, key: (UpstreamName, Bytes), meaning: Operation) {
        self.young_bytes += key.1.len();
        self.young.insert(key, meaning);
        if self.young_bytes > GENERATION_BYTES {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
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
        remembered.keep(&attempt("write"), &meaning(Effect::Write));
        remembered.keep(
            &attempt(&"x".repeat(LONGEST_BYTES + 1)),
            &meaning(Effect::Read),
        );
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
            remembered.keep(&attempt(&text(number)), &meaning(Effect::Read));
            assert!(
                number == 0 || remembered.of(&attempt(&text(0))).is_some(),
                "{number}"
            );
        }
        let generations = remembered.0.lock().unwrap();
        let held = generations.young.len() + generations.old.len();
        assert!(
            held * 8 * 1024 <= 2 * GENERATION_BYTES + 16 * 1024,
            "{held}"
        );
    }
}
