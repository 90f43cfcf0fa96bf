//! The upstream in memory, and the adapter that understands its one-line requests.

use std::collections::{BTreeSet, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde_json::Value;
use tagout_core::effect::{Effect, EffectOn, Mark};
use tagout_core::environment::Place;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Attempt, Exact, Operation, PathStep, SecretPath};
use tagout_core::permit::{Clearance, Errand};
use tagout_core::pipeline::{Adapter, Ambiguous, Errands, Executed, Later, Outcome};
use tagout_core::resolved::{Count, Provenance, Resolved, Target, Variant};
use tagout_core::resource::Resource;
use tagout_core::untrusted::Untrusted;
use tagout_core::verdict::Safeguard;
use tagout_ledger::Ledger;

/// What goes wrong on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Fault {
    #[default]
    None,
    /// It can't be reached.
    NoConnection,
    /// It does it, and the answer is lost.
    LostAnswer,
    /// It says no.
    Refuses,
    /// It takes so long before anything is sent, and as long again to answer.
    Slow(Duration),
    /// The adapter itself falls over.
    Panics,
}

/// What reached the upstream.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Instant,
    pub(crate) what: String,
}

pub(crate) struct Upstream {
    ledger: Ledger,
    log_path: PathBuf,
    pub(crate) sent: Mutex<Vec<Sent>>,
    pub(crate) fault: Mutex<Fault>,
    /// Where things are, if not where the request says.
    pub(crate) moved: Mutex<HashMap<String, Vec<String>>>,
    /// Backups of each resource; four unless said.
    pub(crate) backups: Mutex<HashMap<String, u64>>,
    pub(crate) look_ups: AtomicUsize,
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
struct Request {
    #[serde(rename = "do")]
    effect: String,
    to: String,
    at: Vec<String>,
    #[serde(default)]
    marks: Vec<Mark>,
    #[serde(default = "one")]
    members: u64,
    /// Whether the request says where a secret stands in its answer.
    #[serde(default)]
    secret_at: bool,
    /// Only for the derived way: in these places only.
    #[serde(default)]
    only: Option<Vec<String>>,
}

const fn one() -> u64 {
    1
}

impl Upstream {
    pub(crate) fn new(ledger: Ledger, folder: &Path) -> Self {
        Self {
            ledger,
            log_path: folder.join("sent.log"),
            sent: Mutex::default(),
            fault: Mutex::default(),
            moved: Mutex::default(),
            backups: Mutex::default(),
            look_ups: AtomicUsize::new(0),
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.sent.lock().unwrap().len()
    }

    pub(crate) fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    /// What reached the upstream in all processes on this folder.
    pub(crate) fn count_in(folder: &Path) -> usize {
        std::fs::read_to_string(folder.join("sent.log"))
            .unwrap_or_default()
            .lines()
            .count()
    }

    fn receive(&self, what: &Operation) {
        let what = String::from_utf8(what.exact.bytes().to_vec()).unwrap();
        let mut log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&self.log_path)
            .unwrap();
        writeln!(log, "{what}").unwrap();
        let at = Instant::now();
        self.sent.lock().unwrap().push(Sent { at, what });
    }

    /// The intent of what is about to be sent must be durable by now, and be for these bytes.
    fn check_record(&self, clearance: &Clearance, operation: &Operation) {
        let Clearance::Effect(recorded) = clearance else {
            return;
        };
        let index = recorded.leaf();
        let mut entries = self.ledger.entries(index..index + 1);
        let (_, bytes) = entries.next().expect("the intent is durable").unwrap();
        let leaf: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(leaf["type"], "intent");
        assert_eq!(leaf["bytes"], operation.exact.digest().to_string());
    }

    fn target(&self, operation: &Operation) -> Target {
        let request = read(operation.exact.bytes()).unwrap();
        let mut target = Target::not_found(operation.effects[0].clone());
        let moved = self.moved.lock().unwrap();
        let mut places = moved.get(&request.to).unwrap_or(&request.at).clone();
        if let Some(only) = &request.only {
            places.retain(|place| only.contains(place));
        }
        target.places = places.iter().map(|id| place(id)).collect();
        let backups = self.backups.lock().unwrap();
        target.counts = vec![Count {
            of: "backups".to_owned(),
            count: backups.get(&request.to).copied().unwrap_or(4),
            provenance: Provenance::Resolved,
        }];
        target
    }
}

fn place(id: &str) -> Place {
    Place {
        id: id.to_owned(),
        name: id.into(),
        project: None,
        ephemeral: false,
    }
}

fn read(bytes: &[u8]) -> Option<Request> {
    serde_json::from_slice(bytes).ok()
}

fn understood(bytes: &[u8], upstream: &UpstreamName) -> Operation {
    let request = read(bytes);
    let effect = request
        .as_ref()
        .and_then(|request| Effect::from_word(&request.effect));
    let resource = request
        .as_ref()
        .and_then(|request| Resource::try_from(request.to.clone()).ok());
    let mut on = EffectOn::new(
        effect.unwrap_or(Effect::Unknown),
        resource.unwrap_or_else(Resource::anything),
        "test",
    );
    on.marks = request.iter().flat_map(|each| each.marks.clone()).collect();
    on.members = request.as_ref().map_or(1, |each| each.members);
    let text = String::from_utf8_lossy(bytes).into_owned();
    Operation {
        upstream: upstream.clone(),
        summary: Untrusted::new(text.clone()),
        exact: Exact::new(bytes.to_vec().into()),
        shown: Untrusted::new(text.clone()),
        canonical: serde_json::from_slice(bytes).unwrap_or(Value::String(text)),
        effects: vec![on],
        secrets: if request.is_some_and(|each| each.secret_at) {
            vec![SecretPath(vec![PathStep::All])]
        } else {
            Vec::new()
        },
    }
}

/// Speaks the upstream's language.
pub(crate) struct TestAdapter(pub(crate) std::sync::Arc<Upstream>);

impl TestAdapter {
    /// What would be reached in several places can be done in staging only.
    fn variants(&self, operation: &Operation) -> Vec<Variant> {
        let Some(request) = read(operation.exact.bytes()) else {
            return Vec::new();
        };
        if request.at.len() < 2 || request.only.is_some() {
            return Vec::new();
        }
        let mut value: Value = serde_json::from_slice(operation.exact.bytes()).unwrap();
        value["only"] = serde_json::json!(["env-staging"]);
        let derived = understood(value.to_string().as_bytes(), &operation.upstream);
        vec![Variant {
            title: "in staging only".to_owned(),
            targets: vec![self.0.target(&derived)],
            operation: derived,
        }]
    }
}

impl Adapter for TestAdapter {
    type Reply = String;

    fn classify(&self, attempt: &Attempt) -> Result<Operation, Ambiguous> {
        let text = String::from_utf8_lossy(&attempt.bytes);
        if text.contains("ambiguous") {
            return Err(Ambiguous(text.into_owned()));
        }
        Ok(understood(&attempt.bytes, &attempt.upstream))
    }

    fn resolve<'a>(
        &'a self,
        operation: Operation,
        errands: &'a dyn Errands,
    ) -> Later<'a, Resolved> {
        Box::pin(async move {
            let readable = read(operation.exact.bytes()).is_some();
            let observes = operation.worst().only_observes();
            let found = readable
                && (observes || {
                    self.0.look_ups.fetch_add(1, Ordering::SeqCst);
                    errands.leave(&operation.upstream, Errand::LookUp).is_ok()
                });
            let target = if found {
                self.0.target(&operation)
            } else {
                Target::not_found(operation.effects[0].clone())
            };
            Resolved {
                targets: vec![target],
                variants: self.variants(&operation),
                achieved: BTreeSet::new(),
                operation,
            }
        })
    }

    fn offers(&self, _operation: &Operation) -> BTreeSet<Safeguard> {
        BTreeSet::from([Safeguard::Redact])
    }

    fn execute<'a>(
        &'a self,
        clearance: Clearance,
        operation: &'a Operation,
    ) -> Later<'a, Executed<String>> {
        Box::pin(async move {
            self.0.check_record(&clearance, operation);
            let fault = *self.0.fault.lock().unwrap();
            let without = |outcome| Executed {
                outcome,
                reply: None,
            };
            match fault {
                Fault::NoConnection => return without(Outcome::NotSent("refused".to_owned())),
                Fault::Panics => panic!("a test asked for it"),
                Fault::Slow(long) => tokio::time::sleep(long).await,
                Fault::None | Fault::LostAnswer | Fault::Refuses => {}
            }
            self.0.receive(operation);
            match fault {
                Fault::LostAnswer => without(Outcome::Unknown("the connection broke".to_owned())),
                Fault::Refuses => Executed {
                    outcome: Outcome::Failed("409".to_owned()),
                    reply: Some("no".to_owned()),
                },
                Fault::Slow(long) => {
                    tokio::time::sleep(long).await;
                    done()
                }
                _ => done(),
            }
        })
    }
}

fn done() -> Executed<String> {
    Executed {
        outcome: Outcome::Done("200".to_owned()),
        reply: Some("ok".to_owned()),
    }
}
