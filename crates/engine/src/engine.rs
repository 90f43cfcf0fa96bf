//! The parts that every operation and every person's act share.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError, RwLock, Weak};

use tagout_core::grant::{CONNECTION_IDLE_MS, Connection};
use tagout_core::ids::{ConnectionId, HoldId, OperationId, UpstreamName};
use tagout_core::store::{Authority, Booked, Store, StoreError};
use tagout_core::time::{Clock, UnixMs};
use tagout_ledger::Ledger;
use tagout_policy::{Caps, PolicySet, Source};
use tokio::sync::{Notify as Bell, Semaphore, watch};

use crate::authority::InForce;
use crate::error::EngineError;
use crate::faults::{FaultPoint, Faults};
use crate::gate::Gate;
use crate::judge::Judged;
use crate::leaf::Leaf;
use crate::notice::{Notice, Notify};
use crate::purses::Purses;
use crate::quota::Unrecorded;
use crate::random::random;
use crate::rate::Buckets;
use crate::record::Recorder;
use crate::secret_key::{DerivedKey, InstallationKey, KeyUse};
use crate::settings::Settings;
use crate::steady::Steady;

/// Requests that may wait on the wire for a person at once; more are told at once that they are held.
const WAITING_ON_WIRE: usize = 1024;

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
    pub(crate) clock: Arc<Steady>,
    pub(crate) settings: Settings,
    pub(crate) token_key: DerivedKey,
    pub(crate) gate: Gate,
    pub(crate) purses: Purses,
    pub(crate) attempts: Buckets<ConnectionId>,
    pub(crate) statements: Buckets<ConnectionId>,
    pub(crate) look_ups: Buckets<UpstreamName>,
    pub(crate) look_ups_each: Buckets<ConnectionId>,
    pub(crate) unrecorded: Unrecorded,
    pub(crate) ceremonies: crate::ceremony::Ceremonies,
    pub(crate) receipts: crate::receipts::Receipts,
    /// Rung whenever a hold changes, for those who wait on the wire.
    pub(crate) holds_changed: Bell,
    pub(crate) waiting: Semaphore,
    /// Scheduled holds whose time has come and that are being run.
    pub(crate) running: Mutex<HashSet<HoldId>>,
    /// One proposal at a time is counted and put in.
    pub(crate) proposing: tokio::sync::Mutex<()>,
    /// When, on the monotonic clock, every intent below which index had its outcome.
    pub(crate) marks: Mutex<VecDeque<(u64, u64)>>,
    /// Counts the changes to who may do what, for whoever routes or shows it.
    pub(crate) changed: watch::Sender<u64>,
    me: Weak<Self>,
    in_force: RwLock<Arc<InForce>>,
    policies: RwLock<Arc<PolicySet>>,
    /// The texts behind `policies`; held while reading again, so that an older state of things never
    /// overwrites a newer one.
    policy_texts: tokio::sync::Mutex<Vec<(String, String)>>,
    notify: Arc<dyn Notify>,
    faults: Faults,
    used: Mutex<HashMap<ConnectionId, UnixMs>>,
}

impl Engine {
    /// Starts the engine on what the store holds, and settles what a crash left open.
    ///
    /// # Errors
    /// [`EngineError`] when the store or ledger can't be used, or the accepted policies don't load.
    pub async fn start(parts: Parts) -> Result<Arc<Self>, EngineError> {
        let authority = parts.store.authority().await?;
        let policies = load_policies(&authority.policies)?;
        let booked = parts.store.booked().await?;
        let clock = Arc::new(Steady::new(Arc::clone(&parts.clock)));
        let record = Recorder::new(parts.ledger.clone(), Arc::clone(&clock) as Arc<dyn Clock>)?;
        let engine = Arc::new_cyclic(|me| {
            let kept = (authority, policies, booked);
            Self::assemble(parts, kept, (clock, record), me.clone())
        });
        engine.settle_orphans().await?;
        engine.end_leftovers().await?;
        engine.keep_mark().await?;
        engine.note_start().await?;
        Ok(engine)
    }

    fn assemble(
        parts: Parts,
        (authority, policies, booked): (Authority, PolicySet, Booked),
        (clock, record): (Arc<Steady>, Recorder),
        me: Weak<Self>,
    ) -> Self {
        let settings = parts.settings;
        Self {
            store: parts.store,
            record,
            clock,
            token_key: parts.key.derive(KeyUse::Tokens),
            purses: Purses::new(booked),
            gate: Gate::new(authority.frozen.is_some()),
            attempts: Buckets::new(settings.attempts),
            statements: Buckets::new(settings.statements),
            look_ups: Buckets::new(settings.look_ups),
            look_ups_each: Buckets::new(settings.look_ups_each),
            unrecorded: Unrecorded::new(settings.refusals),
            settings,
            ceremonies: crate::ceremony::Ceremonies::default(),
            receipts: crate::receipts::Receipts::default(),
            holds_changed: Bell::new(),
            waiting: Semaphore::new(WAITING_ON_WIRE),
            running: Mutex::default(),
            proposing: tokio::sync::Mutex::default(),
            marks: Mutex::default(),
            changed: watch::Sender::new(0),
            me,
            policy_texts: tokio::sync::Mutex::new(authority.policies.clone()),
            in_force: RwLock::new(Arc::new(InForce::new(authority))),
            policies: RwLock::new(Arc::new(policies)),
            notify: parts.notify,
            faults: parts.faults,
            used: Mutex::default(),
        }
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
    /// [`EngineError`] when the store can't be read or the accepted policies don't load; then the
    /// policies that were in force stay.
    pub async fn reload(&self) -> Result<(), EngineError> {
        self.reload_and(|| ()).await
    }

    /// Does `then` between reading and following what was read.
    pub(crate) async fn reload_and(&self, then: impl FnOnce()) -> Result<(), EngineError> {
        let mut texts = self.policy_texts.lock().await;
        let authority = self.store.authority().await?;
        then();
        let frozen = authority.frozen.is_some();
        let files = authority.policies.clone();
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(InForce::new(authority));
        if files != *texts {
            let policies = load_policies(&files)?;
            *self
                .policies
                .write()
                .unwrap_or_else(PoisonError::into_inner) = Arc::new(policies);
            *texts = files;
        }
        self.gate.follow(frozen);
        Ok(())
    }

    /// This engine, to be kept by work that must end even if whoever asked for it has gone.
    pub(crate) fn me(&self) -> Result<Arc<Self>, EngineError> {
        self.me.upgrade().ok_or(EngineError::Gone)
    }

    /// Whether the ground on which something was judged is still there. Asked last of all before it
    /// is sent.
    pub(crate) fn still_stands(&self, judged: &Judged) -> bool {
        let in_force = self.in_force();
        let grant = judged.standing.grant.as_ref();
        in_force
            .connection(&judged.standing.connection.id)
            .is_some()
            && grant.is_none_or(|grant| in_force.grant(&grant.id).is_some())
            && in_force.upstream(&judged.upstream.name) == Some(&judged.upstream)
            && self.policies().digest() == judged.policy()
    }

    /// Whether a connection's token still opens anything, by its latest use that we know of.
    pub(crate) fn is_alive(&self, connection: &Connection) -> bool {
        let now = self.clock.now();
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let used = used.get(&connection.id).copied().unwrap_or_default();
        let used = used.max(connection.used);
        !connection.revoked && now.since_ms(used) < CONNECTION_IDLE_MS
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
        self.gate.is_closed()
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
