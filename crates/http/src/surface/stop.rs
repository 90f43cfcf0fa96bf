//! The order to stop, and the wait until everybody has.

use tokio::sync::watch;

/// Gives the order. Dropping it gives the order too.
#[derive(Debug)]
pub struct StopHandle(watch::Sender<bool>);

/// Hears the order.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A handle and its listener, for any number of surfaces.
#[must_use]
pub fn stop_signal() -> (StopHandle, Stop) {
    let (sender, receiver) = watch::channel(false);
    (StopHandle(sender), Stop(receiver))
}

impl StopHandle {
    /// Orders every surface to take no more requests and to finish those it has.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Waits for the order.
    pub async fn ordered(&mut self) {
        // An error means that the handle is gone, which is an order too.
        let _ = self.0.wait_for(|stopped| *stopped).await;
    }
}
