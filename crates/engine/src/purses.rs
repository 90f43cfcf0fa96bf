//! What each purse has spent: known here, said by each intent in the ledger, and summed up in the store in
//! arrears. So a budget costs no write of its own, and a crash loses nothing of it: a start counts what
//! intents say from where the sum in the store ends.
//!
//! Must never count an intent below the store's mark again, and never let the mark pass one that is not
//! counted: hence the stretches, which only go to the store when every intent in them is at its end.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tagout_core::grant::{Budget, Overspent, Spending};
use tagout_core::store::{Booked, Purse, Spendings};

use crate::engine::Engine;

/// Stretches that are kept apart. More are joined; then they only go to the store together.
const STRETCHES: usize = 64;

/// What one operation spends, and from whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Charge {
    pub(crate) purses: Vec<Purse>,
    pub(crate) spending: Spending,
}

/// The purses of everybody.
pub(crate) struct Purses(Mutex<Sums>);

struct Sums {
    spent: Spendings,
    /// What intents have spent that the store does not know yet, by the index at which a stretch of the
    /// ledger begins. Each ends where the next one begins; there is always one.
    stretches: BTreeMap<u64, Spendings>,
}

/// Stretches that can go to the store.
#[derive(Debug, PartialEq, Eq)]
struct Due {
    from: u64,
    more: Booked,
}

impl Purses {
    pub(crate) fn new(booked: Booked) -> Self {
        Self(Mutex::new(Sums {
            spent: booked.spent,
            stretches: [(booked.below, Spendings::default())].into(),
        }))
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was spent from a purse.
    pub(crate) fn spent(&self, purse: &Purse) -> Spending {
        self.sums().spent.get(purse).cloned().unwrap_or_default()
    }

    /// Spends from every purse, or from none.
    pub(crate) fn spend(
        &self,
        purses: &[(Purse, Budget)],
        asked: Spending,
    ) -> Result<Charge, Overspent> {
        let mut sums = self.sums();
        for (purse, budget) in purses {
            let spent = sums.spent.get(purse).cloned().unwrap_or_default();
            budget.carries(&spent, &asked)?;
        }
        let charge = Charge {
            purses: purses.iter().map(|(purse, _)| purse.clone()).collect(),
            spending: asked,
        };
        add(&mut sums.spent, &charge);
        Ok(charge)
    }

    /// Spends without asking whether the budgets carry it: people have approved it.
    pub(crate) fn spend_approved(&self, charge: &Charge) {
        add(&mut self.sums().spent, charge);
    }

    /// Gives back what was spent on something that was never sent.
    pub(crate) fn give_back(&self, charge: &Charge) {
        let mut sums = self.sums();
        for purse in &charge.purses {
            if let Some(spent) = sums.spent.get_mut(purse) {
                take(spent, &charge.spending);
            }
        }
    }

    /// The intent at this index has spent what it said, for good. Comes before the intent is at its end.
    pub(crate) fn settle(&self, index: u64, charge: &Charge) {
        let mut sums = self.sums();
        if let Some((_, stretch)) = sums.stretches.range_mut(..=index).next_back() {
            add(stretch, charge);
        }
    }

    /// At the start: what an intent says that an earlier process recorded. One that the store has counted
    /// lies before every stretch.
    pub(crate) fn count_again(&self, index: u64, charge: &Charge) {
        if self.counts_from() <= index {
            self.spend_approved(charge);
            self.settle(index, charge);
        }
    }

    /// The index from which intents are not counted in the store.
    pub(crate) fn counts_from(&self) -> u64 {
        let first = self.sums().stretches.keys().next().copied();
        first.unwrap_or(u64::MAX)
    }

    /// What can go to the store, now that every intent below `settled_below` is at its end. Another stretch
    /// begins at `end`.
    fn due(&self, settled_below: u64, end: u64) -> Option<Due> {
        let mut sums = self.sums();
        sums.begin_stretch(end);
        let (from, _) = sums.stretches.first_key_value()?;
        let ends = sums.stretches.keys().skip(1);
        let below = ends.take_while(|end| **end <= settled_below).last()?;
        let mut more = Booked {
            below: *below,
            spent: Spendings::default(),
        };
        for (purse, spending) in sums.stretches.range(..below).flat_map(|(_, each)| each) {
            let sum = more.spent.remove(purse).unwrap_or_default();
            more.spent.insert(purse.clone(), sum.plus(spending));
        }
        Some(Due { from: *from, more })
    }

    /// The store has counted everything below this index.
    fn went(&self, below: u64) {
        let mut sums = self.sums();
        sums.stretches = sums.stretches.split_off(&below);
    }
}

impl Sums {
    fn begin_stretch(&mut self, at: u64) {
        let last = self.stretches.last_key_value();
        let is_used = last.is_some_and(|(from, spent)| *from < at && !spent.is_empty());
        if is_used && self.stretches.len() < STRETCHES {
            self.stretches.insert(at, Spendings::default());
        }
    }
}

fn add(to: &mut Spendings, charge: &Charge) {
    for purse in &charge.purses {
        let spent = to.entry(purse.clone()).or_default();
        *spent = std::mem::take(spent).plus(&charge.spending);
    }
}

/// Never below nothing.
fn take(from: &mut Spending, back: &Spending) {
    for (effect, count) in &back.0 {
        if let Some(sum) = from.0.get_mut(effect) {
            *sum = sum.saturating_sub(*count);
        }
    }
}

impl Engine {
    /// Brings to the store what was spent since the last time. What can't be written stays in the ledger,
    /// and is tried again.
    pub(crate) async fn book_spendings(&self) {
        let end = self.record.ledger().durable_size();
        let Some(Due { from, more }) = self.purses.due(self.record.settled_below(), end) else {
            return;
        };
        let below = more.below;
        match self.store.book(from, more).await {
            Ok(()) => self.purses.went(below),
            Err(error) => tracing::warn!(%error, "what was spent is not summed up in the store"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tagout_core::effect::Effect;
    use tagout_core::ids::{ConnectionId, GrantId};

    fn grant(number: u8) -> Purse {
        Purse::Grant(GrantId::from_bits([number; 16]))
    }

    fn parent() -> Purse {
        Purse::Connection(ConnectionId::from_bits([0; 16]))
    }

    fn writes(count: u64) -> Spending {
        Spending([(Effect::Write, count)].into())
    }

    fn budget(count: u64) -> Budget {
        Budget([(Effect::Write, count)].into())
    }

    fn charge(purse: &Purse, count: u64) -> Charge {
        Charge {
            purses: vec![purse.clone()],
            spending: writes(count),
        }
    }

    fn booked(purse: &Purse, count: u64, below: u64) -> Booked {
        Booked {
            spent: [(purse.clone(), writes(count))].into(),
            below,
        }
    }

    #[test]
    fn all_purses_or_none() {
        let purses = Purses::new(Booked::default());
        let chain = [(grant(0), budget(9)), (parent(), budget(3))];
        purses.spend(&chain, writes(2)).unwrap();
        let over = Overspent {
            effect: Effect::Write,
            limit: 3,
            spent: 2,
            asked: 2,
        };
        assert_eq!(purses.spend(&chain, writes(2)), Err(over));
        for purse in [grant(0), parent()] {
            assert_eq!(purses.spent(&purse), writes(2));
        }
        assert_eq!(purses.spent(&grant(1)), Spending::default());
        let huge = [(grant(1), budget(u64::MAX))];
        purses.spend(&huge, writes(u64::MAX)).unwrap();
        purses.spend_approved(&charge(&grant(1), 5));
        assert_eq!(purses.spent(&grant(1)), writes(u64::MAX));
    }

    #[test]
    fn never_over_budget() {
        let purses = Purses::new(Booked::default());
        let booked: u64 = std::thread::scope(|scope| {
            let purses = &purses;
            let spend = |number: u8| {
                let chain = [(grant(number % 3), budget(20)), (parent(), budget(50))];
                scope.spawn(move || u64::from(purses.spend(&chain, writes(3)).is_ok()) * 3)
            };
            let racers: Vec<_> = (0..60).map(spend).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).sum()
        });
        assert_eq!(booked, 48, "16 spends of 3 fit into 50");
        assert_eq!(purses.spent(&parent()), writes(48));
        let children = (0..3).map(|number| purses.spent(&grant(number)));
        let children: Vec<_> = children.map(|spent| spent.0[&Effect::Write]).collect();
        assert!(children.iter().all(|spent| *spent <= 20), "{children:?}");
        assert_eq!(children.iter().sum::<u64>(), 48);
    }

    #[test]
    fn what_comes_back_never_goes_below_nothing() {
        let purses = Purses::new(Booked::default());
        let chain = [(grant(0), budget(3)), (parent(), budget(3))];
        purses.spend(&chain, writes(3)).unwrap();
        purses.give_back(&charge(&grant(0), 1));
        assert_eq!(purses.spent(&grant(0)), writes(2));
        assert!(
            purses.spend(&chain, writes(1)).is_err(),
            "the parent has none"
        );
        purses.give_back(&charge(&grant(0), 99));
        assert_eq!(purses.spent(&grant(0)), writes(0));
    }

    #[test]
    fn a_stretch_goes_to_the_store_when_all_in_it_is_settled() {
        let purses = Purses::new(booked(&grant(0), 7, 10));
        assert_eq!(purses.spent(&grant(0)), writes(7));
        assert_eq!(purses.due(10, 10), None, "nothing happened");
        purses.settle(11, &charge(&grant(0), 1));
        assert_eq!(purses.due(12, 20), None, "15 is not at its end");
        purses.settle(21, &charge(&grant(0), 4));
        purses.settle(15, &charge(&grant(0), 2));
        let due = Due {
            from: 10,
            more: booked(&grant(0), 3, 20),
        };
        assert_eq!(purses.due(22, 30), Some(due), "not written: it stays");
        let due = Due {
            from: 10,
            more: booked(&grant(0), 7, 30),
        };
        assert_eq!(purses.due(40, 40), Some(due));
        purses.went(30);
        assert_eq!(purses.due(50, 50), None);
        purses.settle(33, &charge(&grant(0), 1));
        let due = Due {
            from: 30,
            more: booked(&grant(0), 1, 60),
        };
        assert_eq!(purses.due(60, 60), Some(due));
    }

    #[test]
    fn a_start_counts_from_the_mark_on() {
        let purses = Purses::new(booked(&grant(0), 7, 10));
        purses.count_again(9, &charge(&grant(0), 1));
        assert_eq!(purses.spent(&grant(0)), writes(7));
        purses.count_again(10, &charge(&grant(0), 2));
        assert_eq!(purses.spent(&grant(0)), writes(9));
        let due = Due {
            from: 10,
            more: booked(&grant(0), 2, 11),
        };
        assert_eq!(purses.due(11, 11), Some(due));
    }

    #[test]
    fn one_intent_that_never_ends_costs_bounded_room() {
        let purses = Purses::new(Booked::default());
        for index in 0..10_000 {
            purses.settle(index, &charge(&grant(0), 1));
            assert_eq!(purses.due(0, index + 1), None);
        }
        assert!(purses.sums().stretches.len() <= STRETCHES);
        let due = purses.due(20_000, 20_000).unwrap();
        assert!(due.more.below <= 10_000);
        purses.went(due.more.below);
        purses.settle(20_000, &charge(&grant(0), 0));
        let rest = purses.due(30_000, 30_000).unwrap();
        let all = due.more.spent[&grant(0)]
            .clone()
            .plus(&rest.more.spent[&grant(0)]);
        assert_eq!(all, writes(10_000));
    }
}
