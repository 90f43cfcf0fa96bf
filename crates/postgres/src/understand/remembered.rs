//! What the latest texts meant, by their exact bytes. The same bytes always mean the same, so nothing here
//! can be wrong; it can only be forgotten.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::statement::Statement;

/// Texts longer than this are loads, which do not come twice.
const LONGEST_BYTES: usize = 16 * 1024;

/// A generation holds this many bytes of texts, and this many of them; there are two. What is made of a
/// text takes about ten times as much room.
const GENERATION_BYTES: usize = 2 * 1024 * 1024;
const GENERATION_TEXTS: usize = 8 * 1024;

type Meanings = HashMap<Arc<[u8]>, Arc<[Statement]>>;

/// Two generations of meanings: when the young one is full, the old one goes.
#[derive(Default)]
pub(super) struct Remembered(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: Meanings,
    young_bytes: usize,
    old: Meanings,
}

impl Remembered {
    /// What these bytes meant, if that is still known.
    pub(super) fn of(&self, sql: &[u8]) -> Option<Arc<[Statement]>> {
        if sql.len() > LONGEST_BYTES {
            return None;
        }
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = generations.young.get(sql) {
            return Some(Arc::clone(known));
        }
        let (sql, known) = generations.old.remove_entry(sql)?;
        generations.keep(sql, Arc::clone(&known));
        Some(known)
    }

    /// Keeps what a text meant.
    pub(super) fn keep(&self, sql: Arc<[u8]>, meaning: &Arc<[Statement]>) {
        if sql.len() > LONGEST_BYTES {
            return;
        }
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.keep(sql, Arc::clone(meaning));
    }
}

impl Generations {
    fn keep(&mut self, sql: Arc<[u8]>, meaning: Arc<[Statement]>) {
        self.young_bytes += sql.len();
        self.young.insert(sql, meaning);
        if self.young_bytes > GENERATION_BYTES || self.young.len() > GENERATION_TEXTS {
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

    fn meaning() -> Arc<[Statement]> {
        Arc::from(Vec::new())
    }

    #[test]
    fn texts_are_remembered_by_their_exact_bytes() {
        let remembered = Remembered::default();
        remembered.keep(Arc::from(b"SELECT 1".as_slice()), &meaning());
        assert!(remembered.of(b"SELECT 1").is_some());
        assert!(remembered.of(b"SELECT 1 ").is_none());
        let long = vec![b' '; LONGEST_BYTES + 1];
        remembered.keep(Arc::from(long.as_slice()), &meaning());
        assert!(remembered.of(&long).is_none());
    }

    #[test]
    fn room_is_bounded_and_what_is_used_stays() {
        let remembered = Remembered::default();
        let text = |number: usize, width: usize| format!("{number:>width$}").into_bytes();
        for width in [8, 8 * 1024] {
            for number in 0..20_000 {
                remembered.keep(Arc::from(text(number, width)), &meaning());
                assert!(remembered.of(&text(0, width)).is_some(), "{number}");
            }
            let generations = remembered.0.lock().unwrap();
            let held = generations.young.len() + generations.old.len();
            assert!(held <= 2 * (GENERATION_TEXTS + 1), "{held}");
            let bytes: usize = generations.young.keys().map(|sql| sql.len()).sum();
            assert!(bytes <= GENERATION_BYTES, "{bytes}");
        }
    }
}
