//! The parts that every operation and every person's act share.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{ConnectionId, FreezeId, GrantId, OperationId, UpstreamName};
use tagout_core::permit::{Clearance, Errand, ErrandPermit};
use tagout_core::pipeline::{Errands, Throttled};
use tagout_core::store::{Freeze, Store, StoreError};
use tagout_core::time::{Clock, UnixMs};
use tagout_core::untrusted::Untrusted;
use tagout_ledger::Ledger;
use tagout_policy::{Caps, PolicySet, Source};
use tagout_seal::EngineSeal;
use tokio::sync::{Notify as Bell, watch};

use crate::authority::InForce;
use crate::error::EngineError;
use crate::faults::{FaultPoint, Faults};
use crate::leaf::Leaf;
use crate::notice::{Notice, Notify};
use crate::random::random;
use crate::rate::Buckets;
use crate::record::Recorder;
use crate::secret_key::{DerivedKey, InstallationKey, KeyUse};
use crate::settings::Settings;

/// After a freeze, what is already on its way has this long to finish before it is cut off.
const FREEZE_GRACE: Duration = Duration::from_millis(500);

/// What the composition root brings.
pub struct Parts {
    /// Durable state.
    pub store: Arc<dyn Store>,
    /// The record.
    pub ledger: Ledger,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The installation's secret.
    pub key: InstallationKey,
    /// Where notices go.
    pub notify: Arc<dyn Notify>,
    /// Limits and addresses.
    pub settings: Settings,
    /// Where tests make it fail; nowhere in production.
    pub faults: Faults,
}

/// The engine. One for each process.
pub struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) record: Recorder,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) token_key: DerivedKey,
    pub(crate) attempts: Buckets<ConnectionId>,
    pub(crate) ceremonies: crate::ceremony::Ceremonies,
    pub(crate) receipts: crate::receipts::Receipts,
    /// Rung whenever a hold changes, for those who wait on the wire.
    pub(crate) holds_changed: Bell,
    /// Counts the changes to who may do what, for whoever routes or shows it.
    pub(crate) changed: watch::Sender<u64>,
    look_ups: Buckets<UpstreamName>,
    in_force: RwLock<Arc<InForce>>,
    policies: RwLock<Arc<PolicySet>>,
    notify: Arc<dyn Notify>,
    faults: Faults,
    /// Set first of all in a freeze; checked last of all before anything is sent.
    stopped: AtomicBool,
    /// Tells what is on its way that everything stops.
    stop: watch::Sender<bool>,
    on_the_way: Mutex<usize>,
    landed: Bell,
    used: Mutex<std::collections::HashMap<ConnectionId, UnixMs>>,
}

impl Engine {
    /// Starts the engine on what the store holds, and settles what a crash left open.
    ///
    /// # Errors
    /// [`EngineError`] when the store or ledger can't be used, or the accepted policies don't load.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, EngineError> {
        let authority = parts.store.authority().await?;
        let policies = load_policies(&authority.policies)?;
        let frozen = authority.frozen.is_some();
        let record = Recorder::new(parts.ledger, Arc::clone(&parts.clock))?;
        let engine = Arc::new(Self {
            store: parts.store,
            record,
            attempts: Buckets::new(parts.settings.attempts),
            look_ups: Buckets::new(parts.settings.look_ups),
            ceremonies: crate::ceremony::Ceremonies::default(),
            receipts: crate::receipts::Receipts::default(),
            token_key: parts.key.derive(KeyUse::Tokens),
            clock: parts.clock,
            settings: parts.settings,
            in_force: RwLock::new(Arc::new(InForce::new(authority))),
            policies: RwLock::new(Arc::new(policies)),
            notify: parts.notify,
            faults: parts.faults,
            stopped: AtomicBool::new(frozen),
            stop: watch::Sender::new(frozen),
            on_the_way: Mutex::new(0),
            landed: Bell::new(),
            holds_changed: Bell::new(),
            changed: watch::Sender::new(0),
            used: Mutex::default(),
        });
        engine.settle_orphans().await?;
        engine.note_start().await?;
        Ok(engine)
    }

    async fn note_start(&self) -> Result<(), EngineError> {
        let leaf = Leaf::Started {
            version: env!("CARGO_PKG_VERSION"),
            policy: self.policies().digest(),
            advisory: self.settings.advisory.clone(),
        };
        self.record.note(&leaf).await?;
        Ok(())
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn policies(&self) -> Arc<PolicySet> {
        Arc::clone(&self.policies.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads again who may do what, after anything changed it.
    ///
    /// # Errors
    /// [`EngineError`] when the store can't be read or the accepted policies don't load; then what was
    /// in force stays.
    pub async fn reload(&self) -> Result<(), EngineError> {
        let authority = self.store.authority().await?;
        let policies = load_policies(&authority.policies)?;
        let frozen = authority.frozen.is_some();
        *self
            .policies
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(policies);
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(InForce::new(authority));
        self.stopped.store(frozen, Ordering::SeqCst);
        self.stop.send_replace(frozen);
        Ok(())
    }

    /// The upstreams in force, for whoever routes to them.
    #[must_use]
    pub fn upstreams(&self) -> Vec<tagout_core::proposal::Upstream> {
        self.in_force()
            .upstreams()
            .map(|upstream| upstream.as_ref().clone())
            .collect()
    }

    /// Tells whenever a person changed who may do what.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// The token of a connection in force.
    #[must_use]
    pub fn token(&self, id: &ConnectionId) -> Option<String> {
        let in_force = self.in_force();
        let connection = in_force.connection(id)?;
        Some(crate::token::token_of(
            &self.token_key,
            id,
            connection.token_version,
        ))
    }

    pub(crate) fn new_operation_id(&self) -> Result<OperationId, EngineError> {
        Ok(OperationId::from_bits(
            random().map_err(EngineError::Random)?,
        ))
    }

    pub(crate) fn tell(&self, notice: Notice) {
        self.notify.notify(notice);
    }

    /// A named point in an operation's life; tests end the process or fail the disk there.
    pub(crate) fn reach(&self, point: FaultPoint) -> Result<(), EngineError> {
        self.faults.reach(point)
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Notes a use of a connection, at most once a minute.
    pub(crate) async fn note_use(&self, id: &ConnectionId) {
        let now = self.clock.now();
        let due = {
            let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
            let last = used.insert(id.clone(), now).unwrap_or_default();
            let due = now.since_ms(last) > 60_000;
            if !due {
                used.insert(id.clone(), last);
            }
            due
        };
        if due && let Err(error) = self.store.note_use(id, now).await {
            tracing::warn!(%error, connection = %id, "use of a connection was not noted");
        }
    }

    /// Stops everything: nothing is sent from the moment this returns. What is on its way may finish
    /// for half a second and is then cut off.
    ///
    /// # Errors
    /// [`EngineError`] when the freeze could not be stored or recorded. It is in force all the same,
    /// until the process ends.
    pub async fn freeze(&self, by: Untrusted, reason: Untrusted) -> Result<FreezeId, EngineError> {
        self.stopped.store(true, Ordering::SeqCst);
        let id = FreezeId::from_bits(random().map_err(EngineError::Random)?);
        let freeze = Freeze {
            id,
            since: self.clock.now(),
            by: by.clone(),
            reason,
        };
        let stored = self.store.freeze(freeze).await;
        self.empty_the_way().await;
        let freeze = stored?;
        self.cancel_scheduled().await?;
        let leaf = Leaf::Frozen {
            freeze: freeze.id.clone(),
            by: by.to_string(),
        };
        let recorded = self.record.note(&leaf).await;
        self.reload().await?;
        self.tell(Notice::Frozen {
            freeze: freeze.id.clone(),
        });
        recorded?;
        Ok(freeze.id)
    }

    /// A freeze cancels what is scheduled: a thaw must not set off what nobody thinks of any more.
    async fn cancel_scheduled(&self) -> Result<(), EngineError> {
        for hold in self.store.list_holds(0).await? {
            if hold.state == HoldState::Scheduled {
                let why = Some("everything was frozen".to_owned());
                self.store
                    .step(&hold.id, HoldState::Scheduled, HoldEvent::Cancel, why)
                    .await?;
            }
        }
        self.holds_changed.notify_waiters();
        Ok(())
    }

    async fn empty_the_way(&self) {
        if !self.way_empties_within(FREEZE_GRACE).await {
            self.stop.send_replace(true);
            self.way_empties_within(FREEZE_GRACE).await;
        }
        self.stop.send_replace(true);
    }

    async fn way_empties_within(&self, limit: Duration) -> bool {
        let empties = async {
            loop {
                let landed = self.landed.notified();
                if *self
                    .on_the_way
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    == 0
                {
                    return;
                }
                landed.await;
            }
        };
        tokio::time::timeout(limit, empties).await.is_ok()
    }

    /// Runs `send` unless everything is stopped; cuts it off if that happens meanwhile. `None` means
    /// that it was cut off or never begun.
    pub(crate) async fn on_the_way<T>(&self, send: impl Future<Output = T>) -> Way<T> {
        let _passage = Passage::enter(self);
        if self.is_stopped() {
            return Way::Closed;
        }
        let mut stop = self.stop.subscribe();
        tokio::select! {
            biased;
            done = send => Way::Through(done),
            _ = stop.wait_for(|stopped| *stopped) => Way::Cut,
        }
    }

    /// Ends a connection and what was narrowed from it, at once.
    ///
    /// # Errors
    /// [`EngineError`] when it could not be stored or recorded.
    pub async fn revoke_connection(&self, id: &ConnectionId) -> Result<(), EngineError> {
        let connections = self.store.revoke_connection(id).await?;
        self.reload().await?;
        for connection in &connections {
            self.store.withdraw_of(connection, None).await?;
        }
        self.holds_changed.notify_waiters();
        self.record
            .note(&Leaf::Revoked {
                connections,
                grants: Vec::new(),
            })
            .await?;
        Ok(())
    }

    /// Ends a grant and what was narrowed from it, at once.
    ///
    /// # Errors
    /// [`EngineError`] when it could not be stored or recorded.
    pub async fn revoke_grant(&self, id: &GrantId) -> Result<(), EngineError> {
        let in_force = self.in_force();
        let connection = in_force.grant(id).map(|grant| grant.connection.clone());
        let grants = self.store.revoke_grant(id).await?;
        self.reload().await?;
        if let Some(connection) = connection {
            for grant in &grants {
                self.store.withdraw_of(&connection, Some(grant)).await?;
            }
        }
        self.holds_changed.notify_waiters();
        self.record
            .note(&Leaf::Revoked {
                connections: Vec::new(),
                grants,
            })
            .await?;
        Ok(())
    }
}

/// What became of something that was to be sent.
pub(crate) enum Way<T> {
    /// It went through.
    Through(T),
    /// Everything was stopped before it began.
    Closed,
    /// Everything was stopped while it was on its way.
    Cut,
}

/// Counts itself as on the way for as long as it lives.
struct Passage<'a>(&'a Engine);

impl<'a> Passage<'a> {
    fn enter(engine: &'a Engine) -> Self {
        *engine
            .on_the_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner) += 1;
        Self(engine)
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        *self
            .0
            .on_the_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.landed.notify_waiters();
    }
}

impl Errands for Engine {
    fn leave(&self, upstream: &UpstreamName, errand: Errand) -> Result<Clearance, Throttled> {
        if self.is_stopped() {
            return Err(Throttled);
        }
        self.look_ups
            .take(upstream, self.clock.monotonic_ms())
            .map_err(|_| Throttled)?;
        Ok(Clearance::Errand(ErrandPermit::mint(
            EngineSeal::new(),
            upstream.clone(),
            errand,
        )))
    }
}

fn load_policies(files: &[(String, String)]) -> Result<PolicySet, EngineError> {
    let sources: Vec<_> = files
        .iter()
        .map(|(name, text)| Source::new(name, text))
        .collect();
    PolicySet::load(&sources, Caps::default())
        .map_err(|error| EngineError::Policy(error.to_string()))
}

impl From<StoreError> for EngineError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
