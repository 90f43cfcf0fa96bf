//! A set of safeguards as one small number, ordered by what it costs.

use std::fmt;

use tagout_core::verdict::Safeguard;

/// A set of safeguards. Sets compare by cost: whoever has the dearer safeguard is dearer, so that no
/// amount of copies costs as much as a delay, and no delay as much as a person.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SafeguardSet(u8);

impl SafeguardSet {
    /// Nothing.
    pub const NONE: Self = Self(0);

    /// All there is.
    pub const ALL: Self = Self(u8::MAX);

    /// What does not depend on the upstream: a delay, one person, two people.
    pub const ALWAYS_OFFERED: Self = Self(0b1110_0000);

    /// The weight of a safeguard in the order of cost.
    const fn bit(safeguard: Safeguard) -> u8 {
        match safeguard {
            Safeguard::Redact => 1,
            Safeguard::BeforeImage => 1 << 1,
            Safeguard::SoftVariant => 1 << 2,
            Safeguard::Snapshot => 1 << 3,
            Safeguard::Trial => 1 << 4,
            Safeguard::Delay => 1 << 5,
            Safeguard::AskOne => 1 << 6,
            Safeguard::AskTwo => 1 << 7,
        }
    }

    /// Only this one.
    #[must_use]
    pub const fn only(safeguard: Safeguard) -> Self {
        Self(Self::bit(safeguard))
    }

    /// This set and one more.
    #[must_use]
    pub const fn and(self, safeguard: Safeguard) -> Self {
        Self(self.0 | Self::bit(safeguard))
    }

    /// Whether `safeguard` is in it.
    #[must_use]
    pub const fn has(self, safeguard: Safeguard) -> bool {
        self.0 & Self::bit(safeguard) != 0
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in both.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// What is in this and not in `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// How many people are asked.
    #[must_use]
    pub const fn people(self) -> u8 {
        if self.has(Safeguard::AskTwo) {
            2
        } else if self.has(Safeguard::AskOne) {
            1
        } else {
            0
        }
    }

    /// Its members, cheapest first.
    pub fn iter(self) -> impl Iterator<Item = Safeguard> {
        [
            Safeguard::Redact,
            Safeguard::BeforeImage,
            Safeguard::SoftVariant,
            Safeguard::Snapshot,
            Safeguard::Trial,
            Safeguard::Delay,
            Safeguard::AskOne,
            Safeguard::AskTwo,
        ]
        .into_iter()
        .filter(move |safeguard| self.has(*safeguard))
    }

    /// Every subset, cheapest first, from nothing to all of it. One and two people together are left
    /// out: two are also one.
    pub(crate) fn subsets(self) -> impl Iterator<Item = Self> {
        let both = Self::only(Safeguard::AskOne).and(Safeguard::AskTwo);
        (0..=u8::MAX)
            .map(Self)
            .filter(move |set| set.without(self).is_empty())
            .filter(move |set| set.intersection(both) != both)
    }
}

impl FromIterator<Safeguard> for SafeguardSet {
    fn from_iter<I: IntoIterator<Item = Safeguard>>(safeguards: I) -> Self {
        safeguards.into_iter().fold(Self::NONE, Self::and)
    }
}

impl fmt::Debug for SafeguardSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(self.iter().map(Safeguard::word))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_come_cheapest_first_and_once() {
        let offered = SafeguardSet::ALWAYS_OFFERED.and(Safeguard::Snapshot);
        let sets: Vec<_> = offered.subsets().collect();
        assert!(sets.is_sorted());
        assert_eq!(sets.len(), 2 * 2 * 3, "snapshot, delay, and 0 to 2 people");
        assert_eq!(sets[0], SafeguardSet::NONE);
        assert_eq!(sets[1], SafeguardSet::only(Safeguard::Snapshot));
        let mut again = sets.clone();
        again.dedup();
        assert_eq!(again, sets);
    }

    #[test]
    fn the_order_of_cost_is_the_order_of_the_words() {
        let words: Vec<_> = SafeguardSet::ALL.iter().collect();
        assert_eq!(words.len(), 8);
        assert!(words.is_sorted());
        assert!(
            words
                .windows(2)
                .all(|pair| { SafeguardSet::only(pair[0]) < SafeguardSet::only(pair[1]) })
        );
    }
}
