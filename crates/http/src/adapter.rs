//! What this protocol brings to the pipeline: understanding, looking up, sending.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock};

use http::StatusCode;
use serde_json::Value;
use tagout_core::environment::Place;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Attempt, Operation};
use tagout_core::permit::{Clearance, Errand};
use tagout_core::pipeline::{Adapter, Ambiguous, Errands, Executed, Later, Outcome, Vault};
use tagout_core::proposal::Upstream;
use tagout_core::resolved::{Resolved, Target};
use tagout_core::verdict::Safeguard;

use crate::error::HttpError;
use crate::execute::{
    Expected, Sender, execute, execute_upload, is_subscription, method_of, subscribe,
};
use crate::refused::Shape;
use crate::reply::Reply;
use crate::resolve;
use crate::understand::pack::PackError;
use crate::understand::{Packs, Understanding};
use crate::upload::{Uploads, has_body_elsewhere, without_line};
use crate::upstream::{Registered, Upstreams};

/// HTTP upstreams, for the engine.
pub struct HttpAdapter {
    packs: Packs,
    vault: Arc<dyn Vault>,
    upstreams: Arc<Upstreams>,
    understanding: RwLock<Arc<Understanding>>,
    uploads: Uploads,
}

impl std::fmt::Debug for HttpAdapter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpAdapter")
            .field("upstreams", &self.upstreams.hosts())
            .finish()
    }
}

impl HttpAdapter {
    /// An adapter without upstreams. `vault` uses their credentials.
    ///
    /// # Errors
    /// [`PackError`] if the packs can't serve even no upstream at all; that would be a broken build.
    pub fn new(packs: Packs, vault: Arc<dyn Vault>) -> Result<Self, PackError> {
        let understanding = Understanding::new(&packs, &BTreeMap::new())?;
        Ok(Self {
            packs,
            vault,
            upstreams: Arc::default(),
            understanding: RwLock::new(Arc::new(understanding)),
            uploads: Uploads::default(),
        })
    }

    /// Replaces the accepted upstreams. Those that can't be used are left out, so that their hosts are
    /// unknown; the answer says why.
    #[must_use = "an upstream that is not usable is left out, and somebody must be told"]
    pub fn configure(&self, upstreams: Vec<Upstream>) -> Vec<HttpError> {
        let (usable, mut errors) = self.with_packs(upstreams);
        let packs = usable
            .iter()
            .map(|upstream| (upstream.name.clone(), vec![upstream.pack.clone()]));
        match Understanding::new(&self.packs, &packs.collect()) {
            Ok(understanding) => {
                let mut current = self
                    .understanding
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(understanding);
            }
            Err(error) => {
                errors.push(HttpError::Understanding(error.to_string()));
                return errors;
            }
        }
        errors.extend(self.upstreams.configure(usable));
        errors
    }

    fn with_packs(&self, upstreams: Vec<Upstream>) -> (Vec<Upstream>, Vec<HttpError>) {
        let known = |upstream: &Upstream| self.packs.version(&upstream.pack).is_some();
        let (usable, unknown): (Vec<_>, Vec<_>) = upstreams.into_iter().partition(known);
        let error = |upstream: Upstream| HttpError::Pack {
            name: upstream.name.to_string(),
            pack: upstream.pack.escape_debug().to_string(),
            known: self.packs.names().collect::<Vec<_>>().join(", "),
        };
        (usable, unknown.into_iter().map(error).collect())
    }

    /// The accepted upstreams.
    #[must_use]
    pub fn upstreams(&self) -> &Upstreams {
        &self.upstreams
    }

    /// The environments of an upstream, for a person to label. `None` when the upstream is not there or
    /// could not be asked.
    pub async fn places(
        &self,
        upstream: &UpstreamName,
        errands: &dyn Errands,
    ) -> Option<Vec<Place>> {
        let to = self.upstreams.named(upstream.as_str())?;
        resolve::places(self, &to, errands).await
    }

    /// Whether an upstream answers at all: its status, or why there is none.
    ///
    /// # Errors
    /// One line without any secret: not registered, no leave to ask, no connection, no answer.
    pub async fn probe(
        &self,
        upstream: &UpstreamName,
        errands: &dyn Errands,
    ) -> Result<StatusCode, String> {
        let to = self.upstreams.named(upstream.as_str());
        let to = to.ok_or_else(|| format!("no upstream `{upstream}`"))?;
        let leave = errands
            .leave(upstream, Errand::Probe)
            .map_err(|error| error.to_string())?;
        let sender = Sender {
            to: &to,
            vault: self.vault.as_ref(),
        };
        sender.probe(&leave).await
    }

    /// The bodies of uploads that are here now.
    pub(crate) const fn uploads(&self) -> &Uploads {
        &self.uploads
    }

    pub(crate) fn understanding(&self) -> Arc<Understanding> {
        Arc::clone(
            &self
                .understanding
                .read()
                .unwrap_or_else(PoisonError::into_inner),
        )
    }

    pub(crate) fn vault(&self) -> &Arc<dyn Vault> {
        &self.vault
    }

    fn expected<'a>(&self, clearance: &Clearance, operation: &'a Operation) -> Expected<'a> {
        let graphql = operation.canonical.get("graphql").is_some();
        Expected {
            method: method_of(operation),
            shape: if graphql { Shape::GraphQl } else { Shape::Http },
            effect: matches!(clearance, Clearance::Effect(_)) && !operation.only_observes(),
            members: root_fields(operation),
            secrets: &operation.secrets,
            vault: Arc::clone(&self.vault),
        }
    }
}

impl Adapter for HttpAdapter {
    type Reply = Reply;

    fn classify(&self, attempt: &Attempt) -> Result<Operation, Ambiguous> {
        let classified = match without_line(&attempt.bytes) {
            None => self.understanding().classify(attempt),
            Some((head, size, digest)) => {
                let understanding = self.understanding();
                understanding.classify_upload(&attempt.upstream, &head, size, digest)
            }
        };
        classified.map_err(|ambiguous| Ambiguous(ambiguous.to_string()))
    }

    fn resolve<'a>(
        &'a self,
        operation: Operation,
        errands: &'a dyn Errands,
    ) -> Later<'a, Resolved> {
        Box::pin(async move {
            match self.upstreams.named(operation.upstream.as_str()) {
                Some(to) => resolve::resolve(self, &to, operation, errands).await,
                None => unresolved(operation),
            }
        })
    }

    fn serves(&self, upstream: &UpstreamName) -> bool {
        self.upstreams.named(upstream.as_str()).is_some()
    }

    fn offers(&self, _operation: &Operation) -> BTreeSet<Safeguard> {
        BTreeSet::from([Safeguard::Redact])
    }

    fn execute<'a>(
        &'a self,
        clearance: Clearance,
        operation: &'a Operation,
    ) -> Later<'a, Executed<Reply>> {
        Box::pin(async move {
            let Some(to) = self.upstreams.named(operation.upstream.as_str()) else {
                return not_sent("the upstream is not there any more");
            };
            if resolve::is_blind(operation) {
                return not_sent("what is staged is never committed without being shown");
            }
            let sender = Sender {
                to: &to,
                vault: self.vault.as_ref(),
            };
            if is_subscription(operation) {
                return subscribe(sender, &clearance, operation, Arc::clone(&self.vault)).await;
            }
            let expected = self.expected(&clearance, operation);
            let _after = expected.effect.then(|| Changed(Arc::clone(&to)));
            if has_body_elsewhere(operation) {
                return match self.uploads.of(operation) {
                    Some(spooled) => {
                        execute_upload(sender, &clearance, operation, &spooled, expected).await
                    }
                    None => not_sent("the body of this upload is not here any more; send it again"),
                };
            }
            execute(sender, &clearance, operation, expected).await
        })
    }
}

fn not_sent(why: &str) -> Executed<Reply> {
    Executed {
        outcome: Outcome::NotSent(why.to_owned()),
        reply: None,
    }
}

/// The root fields of a GraphQL request; of the longest in a batch, since each is answered by itself.
fn root_fields(operation: &Operation) -> usize {
    let requests = operation.canonical.get("graphql").and_then(Value::as_array);
    let fields = |request: &Value| {
        request
            .get("fields")
            .and_then(Value::as_array)
            .map(Vec::len)
    };
    requests
        .into_iter()
        .flatten()
        .filter_map(fields)
        .max()
        .unwrap_or(1)
}

/// Nothing could be looked up: every target is unknown.
fn unresolved(operation: Operation) -> Resolved {
    let targets = operation
        .effects
        .iter()
        .cloned()
        .map(Target::not_found)
        .collect();
    Resolved {
        operation,
        targets,
        variants: Vec::new(),
        achieved: BTreeSet::new(),
    }
}

/// However the sending of an effect ends, also when it is cut off: what was looked up before is old.
struct Changed(Arc<Registered>);

impl Drop for Changed {
    fn drop(&mut self) {
        self.0.inventory.has_changed();
    }
}
