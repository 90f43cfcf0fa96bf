//! A whole engine in a folder: the real store and ledger, a clock that is set by hand, people played by
//! software passkeys, and an upstream in memory that writes down what reaches it.

#![allow(
    dead_code,
    unused_imports,
    reason = "each file of tests uses a part of it"
)]

mod people;
mod upstream;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tagout_core::card::Hold;
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::{ConnectionId, GrantId, HoldId, UpstreamName};
use tagout_core::operation::Attempt;
use tagout_core::pipeline::{Answer, Caller, Peer, Pipeline as _};
use tagout_core::proposal::{Change, Upstream as Registered};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::resource::Resource;
use tagout_core::rights::{Among, Clause, Rights};
use tagout_core::store::Holds as _;
use tagout_core::time::{Clock, UnixMs};
use tagout_core::verdict::Mode;
use tagout_engine::{
    Engine, Faults, InstallationKey, KeyUse, Lane, Notice, Notify, Parts, Settings, kept_checkpoint,
};
use tagout_ledger::{Ledger, LedgerError, NoteSigner, Options};
use tagout_store::SqliteStore;

pub(crate) use people::Player;
pub(crate) use upstream::{Fault, TestAdapter, Upstream};

pub(crate) const RP_ID: &str = "tagout.test";
pub(crate) const ORIGIN: &str = "https://tagout.test";
pub(crate) const HOUR_MS: u64 = 60 * 60 * 1000;

/// A clock with two hands that are moved by hand.
pub(crate) struct HandClock {
    wall: AtomicU64,
    monotonic: AtomicU64,
}

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            wall: AtomicU64::new(1_777_000_000_000),
            monotonic: AtomicU64::new(1000),
        })
    }

    /// Time passes.
    pub(crate) fn pass_ms(&self, ms: u64) {
        self.wall.fetch_add(ms, Ordering::SeqCst);
        self.monotonic.fetch_add(ms, Ordering::SeqCst);
    }

    pub(crate) fn wall_ms(&self) -> u64 {
        self.wall.load(Ordering::SeqCst)
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_back_ms(&self, ms: u64) {
        self.wall.fetch_sub(ms, Ordering::SeqCst);
    }

    pub(crate) fn set_forward_ms(&self, ms: u64) {
        self.wall.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> UnixMs {
        UnixMs(self.wall.load(Ordering::SeqCst))
    }

    fn monotonic_ms(&self) -> u64 {
        self.monotonic.load(Ordering::SeqCst)
    }
}

/// Keeps the notices.
#[derive(Default)]
pub(crate) struct Told(pub(crate) Mutex<Vec<Notice>>);

impl Notify for Told {
    fn notify(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}

/// What may be set before an engine starts.
pub(crate) struct Plan {
    pub(crate) faults: Faults,
    pub(crate) wait_on_wire_ms: u64,
    pub(crate) own_uid: Option<u32>,
    pub(crate) must_extend: bool,
    pub(crate) look_ups: u32,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            faults: Faults::None,
            wait_on_wire_ms: 0,
            own_uid: None,
            must_extend: true,
            look_ups: 10_000,
        }
    }
}

/// An engine and everything around it.
pub(crate) struct World {
    pub(crate) engine: Arc<Engine>,
    pub(crate) lane: Arc<Lane<TestAdapter>>,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) store: Arc<SqliteStore>,
    pub(crate) clock: Arc<HandClock>,
    pub(crate) told: Arc<Told>,
    pub(crate) ledger: Ledger,
    pub(crate) disk_is_full: Arc<AtomicBool>,
    pub(crate) folder: PathBuf,
    /// Removed with the last world in it; absent where somebody else owns the folder.
    home: Option<tempfile::TempDir>,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Plan::default()).await
    }

    pub(crate) async fn with(plan: Plan) -> Self {
        let home = tempfile::tempdir().unwrap();
        let folder = home.path().to_owned();
        let mut world = Self::open(&folder, HandClock::new(), plan).await.unwrap();
        world.home = Some(home);
        world
    }

    pub(crate) async fn open(
        folder: &Path,
        clock: Arc<HandClock>,
        plan: Plan,
    ) -> Result<Self, tagout_engine::EngineError> {
        let store = Arc::new(SqliteStore::open(&folder.join("tagout.sqlite")).unwrap());
        let disk_is_full = Arc::new(AtomicBool::new(false));
        let key = InstallationKey::new([7; 32]);
        let signer = NoteSigner::from_seed("tagout.test/log", key.derive(KeyUse::Ledger).bytes())?;
        let mut options = Options::new(folder.join("ledger"), signer);
        options.segment_bytes = 256 << 10;
        options.refusal_reserve_bytes = 64 << 10;
        let full = Arc::clone(&disk_is_full);
        let free = move || {
            if full.load(Ordering::SeqCst) {
                0
            } else {
                1 << 40
            }
        };
        options.disk_probe = Arc::new(move |_| Ok(free()));
        if plan.must_extend {
            let verifier = options.signer.verifier();
            options.must_extend = kept_checkpoint(store.as_ref(), verifier).await?;
        }
        let ledger = opened(options).await?;
        let mut settings = Settings::new(RP_ID, ORIGIN);
        settings.wait_on_wire_ms = plan.wait_on_wire_ms;
        settings.own_uid = plan.own_uid;
        for look_ups in [&mut settings.look_ups, &mut settings.look_ups_each] {
            look_ups.burst = plan.look_ups;
        }
        let told = Arc::new(Told::default());
        let engine = Engine::start(Parts {
            store: Arc::clone(&store) as Arc<_>,
            ledger: ledger.clone(),
            clock: Arc::clone(&clock) as Arc<_>,
            key,
            notify: Arc::clone(&told) as Arc<_>,
            settings,
            faults: plan.faults,
        })
        .await?;
        let upstream = Arc::new(Upstream::new(ledger.clone(), folder));
        let adapter = Arc::new(TestAdapter(Arc::clone(&upstream)));
        let lane = Arc::new(Lane::new(Arc::clone(&engine), adapter));
        Ok(Self {
            engine,
            lane,
            upstream,
            store,
            clock,
            told,
            ledger,
            disk_is_full,
            folder: folder.to_owned(),
            home: None,
        })
    }

    /// The same folder in a new process, as far as that can be played in one.
    pub(crate) async fn restart(self, plan: Plan) -> Self {
        let (folder, clock, home) = self.close();
        let mut world = Self::open(&folder, clock, plan).await.unwrap();
        world.home = home;
        world
    }

    /// Ends the engine and everything that it keeps open.
    pub(crate) fn close(self) -> (PathBuf, Arc<HandClock>, Option<tempfile::TempDir>) {
        let Self {
            folder,
            clock,
            home,
            engine,
            lane,
            upstream,
            store,
            ledger,
            ..
        } = self;
        drop((engine, lane, upstream, store, ledger));
        (folder, clock, home)
    }

    /// One person, the upstream, and its three labelled environments.
    pub(crate) async fn furnished() -> (Self, Player) {
        Self::furnished_with(Plan::default()).await
    }

    pub(crate) async fn furnished_with(plan: Plan) -> (Self, Player) {
        let world = Self::with(plan).await;
        let ann = world.furnish().await;
        (world, ann)
    }

    pub(crate) async fn furnish(&self) -> Player {
        let mut ann = Player::first(self, "Ann", 1).await;
        ann.accept(self, Change::Upstream(registered(Mode::Guard)))
            .await;
        for (place, environment) in [
            ("env-prod", Environment::Production),
            ("env-staging", Environment::Staging),
            ("env-dev", Environment::Development),
        ] {
            ann.accept(self, label(place, environment)).await;
        }
        ann
    }

    /// A connection with these rights.
    pub(crate) async fn connect(&self, ann: &mut Player, rights: Rights) -> Caller {
        let id = ConnectionId::from_bits(bits());
        let change = Change::Connect {
            id: id.clone(),
            agent: "agent".into(),
            workspace: "here".into(),
            rights,
            budget: Budget::default(),
        };
        ann.accept(self, change).await;
        self.caller(&id)
    }

    /// The caller behind a connection's token.
    pub(crate) fn caller(&self, id: &ConnectionId) -> Caller {
        let token = self.engine.token(id).unwrap();
        self.lane.admit(&token, &peer(None)).unwrap()
    }

    pub(crate) async fn grant(
        &self,
        ann: &mut Player,
        caller: &Caller,
        rights: Rights,
        budget: Budget,
    ) -> GrantId {
        let id = GrantId::from_bits(bits());
        let change = Change::OpenGrant {
            id: id.clone(),
            connection: caller.connection.clone(),
            parent: None,
            task: "a task".into(),
            rights,
            budget,
            life_ms: 8 * HOUR_MS,
        };
        ann.accept(self, change).await;
        id
    }

    pub(crate) async fn ask(&self, caller: &Caller, what: &Value) -> Answer<String> {
        self.lane.submit(caller, attempt(what)).await
    }

    /// Asks for something that must be answered by the gateway itself.
    pub(crate) async fn refused(&self, caller: &Caller, what: &Value) -> Refusal {
        match self.ask(caller, what).await {
            Answer::Refused(refusal) => refusal,
            Answer::Reply(reply) => panic!("{what} was answered with `{reply}`"),
        }
    }

    /// Asks for something that must reach the upstream.
    pub(crate) async fn passes(&self, caller: &Caller, what: &Value) {
        match self.ask(caller, what).await {
            Answer::Reply(_) => {}
            Answer::Refused(refusal) => panic!("{what} was refused: {}", refusal.line),
        }
    }

    /// Asks for something that must be held; gives its hold.
    pub(crate) async fn held(&self, caller: &Caller, what: &Value) -> HoldId {
        let refusal = self.refused(caller, what).await;
        assert_eq!(refusal.kind, RefusalKind::Held, "{}", refusal.line);
        refusal.hold.unwrap()
    }

    pub(crate) async fn state(&self, hold: &HoldId) -> &'static str {
        self.load(hold).await.state.word()
    }

    pub(crate) async fn load(&self, hold: &HoldId) -> Hold {
        self.store.hold(hold).await.unwrap()
    }

    /// Every leaf of the ledger of this type, what has just been appended included.
    pub(crate) fn leaves(&self, kind: &str) -> Vec<Value> {
        while self.ledger.status().waiting > 0 {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        self.ledger
            .entries(0..u64::MAX)
            .map(|entry| serde_json::from_slice::<Value>(&entry.unwrap().1).unwrap_or_default())
            .filter(|leaf| leaf["type"] == kind)
            .collect()
    }

    /// Ticks until nothing that is due is left.
    pub(crate) async fn tick_until(&self, hold: &HoldId, state: &str) {
        for _ in 0..500 {
            self.lane.tick().await.unwrap();
            if self.state(hold).await == state {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(4)).await;
        }
        panic!("{hold} is {} and not {state}", self.state(hold).await);
    }
}

/// Opens the ledger, as soon as what an engine before has begun is at its end and has let go of it.
async fn opened(options: Options) -> Result<Ledger, LedgerError> {
    for _ in 0..500 {
        match Ledger::open(options.clone()) {
            Err(LedgerError::Locked(_)) => {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
            other => return other.map(|(ledger, _)| ledger),
        }
    }
    panic!("an engine did not let go of its ledger")
}

pub(crate) fn peer(uid: Option<u32>) -> Peer {
    Peer {
        address: ([127, 0, 0, 1], 9).into(),
        uid,
    }
}

pub(crate) fn upstream_name() -> UpstreamName {
    "up".parse().unwrap()
}

pub(crate) fn registered(mode: Mode) -> Registered {
    Registered {
        name: upstream_name(),
        url: "http://127.0.0.1:9/".to_owned(),
        aliases: Vec::new(),
        pack: "test".to_owned(),
        credential: "none".to_owned(),
        header: "authorization: Bearer".to_owned(),
        ca_file: None,
        ourselves: Vec::new(),
        mode,
    }
}

pub(crate) fn label(place: &str, environment: Environment) -> Change {
    Change::Label {
        upstream: upstream_name(),
        place: place.to_owned(),
        name: place.into(),
        environment,
    }
}

pub(crate) fn attempt(what: &Value) -> Attempt {
    Attempt {
        upstream: upstream_name(),
        bytes: what.to_string().into(),
    }
}

/// `{"do": "destroy", "to": "volume:v1", "at": ["env-prod"], …}`.
pub(crate) fn act(effect: &str, resource: &str, places: &[&str]) -> Value {
    json!({"do": effect, "to": resource, "at": places})
}

pub(crate) fn destroy_in_production(id: &str) -> Value {
    act("destroy", &format!("volume:{id}"), &["env-prod"])
}

pub(crate) fn write_in_staging(id: &str) -> Value {
    act("write", &format!("service:{id}"), &["env-staging"])
}

/// Rights to everything, everywhere.
pub(crate) fn everything() -> Rights {
    rights(&Effect::ALL, &["*:*"], &Environment::ALL)
}

pub(crate) fn rights(
    effects: &[Effect],
    resources: &[&str],
    environments: &[Environment],
) -> Rights {
    let resource = |text: &&str| Resource::try_from((*text).to_owned()).unwrap();
    Rights(vec![Clause {
        upstreams: Among::All,
        effects: effects.iter().copied().collect(),
        resources: resources.iter().map(resource).collect(),
        environments: environments.iter().copied().collect(),
    }])
}

/// Different each time in one process.
pub(crate) fn bits() -> [u8; 16] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut bits = [9; 16];
    bits[..8].copy_from_slice(&NEXT.fetch_add(1, Ordering::SeqCst).to_be_bytes());
    bits
}
