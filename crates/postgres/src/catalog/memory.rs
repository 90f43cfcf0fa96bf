//! What was looked up before, shared by all sessions in one database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tagout_core::effect::Effect;

use super::WINDOW;
use super::closure::Closure;
use super::here::Here;
use crate::understand::statement::{Call, Name, Object, Relation, Statement};

/// How many answers are kept. When there are more, all are forgotten: a statement is asked about anew twice a
/// second anyway.
const MOST: usize = 4_096;

/// Answers for one database.
#[derive(Clone, Debug)]
pub struct Memory {
    kept: Arc<Mutex<Kept>>,
    window: Duration,
}

#[derive(Debug, Default)]
struct Kept {
    /// Counts changes that went through the gateway.
    generation: u64,
    answers: HashMap<Key, (Arc<Closure>, Instant)>,
}

/// All that an answer depends on, but the catalog.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    here: Here,
    verb: &'static str,
    relations: Vec<Relation>,
    calls: Vec<Call>,
    names: Vec<Name>,
    attributes: Vec<String>,
    /// What code a statement brings itself is part of what it reaches.
    block: Option<String>,
    acts: Vec<(Effect, Object, bool)>,
}

impl Key {
    pub(super) fn new(here: &Here, statement: &Statement) -> Self {
        let mentions = &statement.mentions;
        let acts = statement.acts.iter();
        // Operators and types can't be mistaken for each other: what stands between them is neither.
        let between = Name {
            schema: None,
            name: String::new(),
        };
        let operators = mentions.operators.iter().chain([&between]);
        Self {
            here: here.clone(),
            verb: statement.verb,
            relations: mentions.relations.clone(),
            calls: mentions.calls.clone(),
            names: operators.chain(&mentions.types).cloned().collect(),
            attributes: mentions.attributes.clone(),
            block: (statement.verb == "DO").then(|| statement.sql.clone()),
            acts: acts
                .map(|act| (act.effect, act.object.clone(), act.cascade))
                .collect(),
        }
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::for_as_long_as(WINDOW)
    }
}

impl Memory {
    /// Keeps answers for `window`.
    #[must_use]
    pub fn for_as_long_as(window: Duration) -> Self {
        Self {
            kept: Arc::default(),
            window,
        }
    }

    pub(super) const fn window(&self) -> Duration {
        self.window
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn generation(&self) -> u64 {
        self.kept().generation
    }

    /// Forgets everything: what it rests on has changed.
    pub fn forget(&self) {
        let mut kept = self.kept();
        kept.generation += 1;
        kept.answers.clear();
    }

    pub(super) fn recall(&self, key: &Key) -> Option<Arc<Closure>> {
        let kept = self.kept();
        let (closure, since) = kept.answers.get(key)?;
        (since.elapsed() < self.window).then(|| Arc::clone(closure))
    }

    /// Keeps an answer, unless something has changed since it was asked for.
    pub(super) fn keep(&self, key: Key, closure: Arc<Closure>, generation: u64) {
        let mut kept = self.kept();
        if kept.generation != generation {
            return;
        }
        if kept.answers.len() >= MOST {
            kept.answers.clear();
        }
        kept.answers.insert(key, (closure, Instant::now()));
    }
}
