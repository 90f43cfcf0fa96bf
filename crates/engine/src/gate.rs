//! The one gate through which everything leaves for an upstream, and which a freeze closes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify as Bell, watch};

/// After a freeze, what is already on its way has this long to finish before it is cut off.
const GRACE: Duration = Duration::from_millis(400);

/// What became of something that was to be sent.
pub(crate) enum Way<T> {
    /// It went through.
    Through(T),
    /// It was not let through: everything is stopped, or its ground is gone.
    Closed,
    /// Everything was stopped while it was on its way.
    Cut,
}

/// Open, or closed for everybody.
pub(crate) struct Gate {
    /// Orders to stop that are not yet in the store: until they are, nothing opens the gate.
    orders: Mutex<usize>,
    /// Set first of all in a freeze; checked last of all before anything is sent.
    stopped: AtomicBool,
    /// Tells what is on its way that it is cut off.
    cut: watch::Sender<bool>,
    travelling: Mutex<usize>,
    landed: Bell,
}

impl Gate {
    pub(crate) fn new(stopped: bool) -> Self {
        Self {
            orders: Mutex::new(0),
            stopped: AtomicBool::new(stopped),
            cut: watch::Sender::new(stopped),
            travelling: Mutex::new(0),
            landed: Bell::new(),
        }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Closes the gate; nothing new is sent from now on.
    pub(crate) fn close(&self) {
        let mut orders = locked(&self.orders);
        *orders += 1;
        self.stopped.store(true, Ordering::SeqCst);
    }

    /// The order of a [`Self::close`] is durable, so that from now on the store decides.
    pub(crate) fn order_is_stored(&self) {
        let mut orders = locked(&self.orders);
        *orders = orders.saturating_sub(1);
    }

    /// Does as the store says, unless there is an order that the store does not know yet.
    pub(crate) fn follow(&self, frozen: bool) {
        let orders = locked(&self.orders);
        let stopped = frozen || *orders > 0;
        self.stopped.store(stopped, Ordering::SeqCst);
        self.cut.send_replace(stopped);
    }

    /// Waits until nothing is on its way, for a while; then cuts it off.
    pub(crate) async fn empty(&self) {
        if !self.empties_within(GRACE).await {
            self.cut.send_replace(true);
            self.empties_within(GRACE).await;
        }
        self.cut.send_replace(true);
    }

    async fn empties_within(&self, limit: Duration) -> bool {
        let empties = async {
            loop {
                let landed = self.landed.notified();
                if *locked(&self.travelling) == 0 {
                    return;
                }
                landed.await;
            }
        };
        tokio::time::timeout(limit, empties).await.is_ok()
    }

    /// Runs `send` unless the gate is closed or `stands` says no; cuts it off if the gate closes
    /// meanwhile. Once cut, `send` is never polled again.
    pub(crate) async fn pass<T>(
        &self,
        stands: impl FnOnce() -> bool,
        send: impl Future<Output = T>,
    ) -> Way<T> {
        let _passage = Passage::enter(self);
        if self.is_closed() || !stands() {
            return Way::Closed;
        }
        let mut cut = self.cut.subscribe();
        tokio::select! {
            biased;
            _ = cut.wait_for(|cut| *cut) => Way::Cut,
            done = send => Way::Through(done),
        }
    }
}

fn locked(count: &Mutex<usize>) -> MutexGuard<'_, usize> {
    count.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Counts itself as on the way for as long as it lives.
struct Passage<'a>(&'a Gate);

impl<'a> Passage<'a> {
    fn enter(gate: &'a Gate) -> Self {
        *locked(&gate.travelling) += 1;
        Self(gate)
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        *locked(&self.0.travelling) -= 1;
        self.0.landed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_order_that_is_not_stored_yet_is_not_lifted() {
        let gate = Gate::new(false);
        gate.close();
        gate.follow(false);
        assert!(gate.is_closed());
        gate.order_is_stored();
        gate.follow(true);
        assert!(matches!(gate.pass(|| true, async {}).await, Way::Closed));
        gate.follow(false);
        assert!(matches!(
            gate.pass(|| true, async {}).await,
            Way::Through(())
        ));
        assert!(matches!(gate.pass(|| false, async {}).await, Way::Closed));
    }

    #[tokio::test]
    async fn what_is_on_its_way_is_cut_off_after_a_while() {
        let gate = Gate::new(false);
        let (way, ()) = tokio::join!(gate.pass(|| true, std::future::pending::<()>()), async {
            gate.close();
            gate.empty().await;
        });
        assert!(matches!(way, Way::Cut));
        assert_eq!(*locked(&gate.travelling), 0);
    }
}
