//! What was made lately, in bounded room: two generations, and when the young one is full, the old one goes.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

/// Values by what they were made of.
pub(crate) struct Generations<K, V> {
    /// A generation is this many bytes of keys; what is made of them takes some times as much.
    most_bytes: usize,
    young: HashMap<K, V>,
    young_bytes: usize,
    old: HashMap<K, V>,
}

impl<K: Hash + Eq, V: Clone> Generations<K, V> {
    pub(crate) fn new(most_bytes: usize) -> Self {
        Self {
            most_bytes,
            young: HashMap::new(),
            young_bytes: 0,
            old: HashMap::new(),
        }
    }

    /// The value, if it is still there. What is used stays.
    pub(crate) fn get<Q>(&mut self, key: &Q, bytes: usize) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(known) = self.young.get(key) {
            return Some(known.clone());
        }
        let (key, known) = self.old.remove_entry(key)?;
        self.keep(key, known.clone(), bytes);
        Some(known)
    }

    /// Keeps a value whose key has so many bytes.
    pub(crate) fn keep(&mut self, key: K, value: V, bytes: usize) {
        self.young_bytes += bytes;
        self.young.insert(key, value);
        if self.young_bytes > self.most_bytes {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }
}
