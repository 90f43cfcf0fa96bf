//! The life of an operation with steps left out. The whole of it is the engine's own lane.

use std::sync::Arc;

use serde_json::Value;
use tagout_core::digest::{OperationDigest, PolicyDigest};
use tagout_core::environment::Environment;
use tagout_core::ids::{HoldId, OperationId, UpstreamName};
use tagout_core::operation::{Attempt, Exact, Operation};
use tagout_core::permit::{Basis, Clearance, Errand, Permit, QueuedRead};
use tagout_core::pipeline::{
    Adapter as _, Answer, Caller, Errands, HoldStatus, Later, Peer, Pipeline, Stray, Throttled,
};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::resolved::{Resolved, Target};
use tagout_core::rights::Rights;
use tagout_core::untrusted::Untrusted;
use tagout_core::verdict::Verdict;
use tagout_engine::Lane;
use tagout_http::{HttpAdapter, Reply};
use tagout_policy::{Asker, Coverage, PolicySet, Question, decide};
use tagout_seal::{EngineSeal, LedgerSeal};

/// How much of an operation's life is lived.
pub(crate) enum Depth {
    /// Nothing is understood: what came in goes out.
    PassThrough,
    /// Understood, looked up and decided; not recorded.
    Decided(Box<Deciding>),
}

/// What deciding takes.
pub(crate) struct Deciding {
    pub(crate) asker: Arc<Asker>,
    pub(crate) rights: Rights,
    pub(crate) policies: PolicySet,
}

/// A pipeline that stops short. Tokens are checked by the lane in every step.
pub(crate) struct Partial {
    pub(crate) lane: Arc<Lane<HttpAdapter>>,
    pub(crate) adapter: Arc<HttpAdapter>,
    pub(crate) depth: Depth,
}

/// Reads are not looked up, so there is nothing to send.
struct NoErrands;

impl Errands for NoErrands {
    fn leave(&self, _upstream: &UpstreamName, _errand: Errand) -> Result<Clearance, Throttled> {
        Err(Throttled)
    }
}

impl Pipeline<Reply> for Partial {
    fn goes_on(&self, _caller: &Caller) -> bool {
        true
    }

    fn admit(&self, token: &str, peer: &Peer) -> Result<Caller, Box<Refusal>> {
        self.lane.admit(token, peer)
    }

    fn submit<'a>(&'a self, _caller: &'a Caller, attempt: Attempt) -> Later<'a, Answer<Reply>> {
        Box::pin(async move {
            match &self.depth {
                Depth::PassThrough => self.send(&unread(attempt)).await,
                Depth::Decided(deciding) => self.decided(deciding, attempt).await,
            }
        })
    }

    fn stray<'a>(&'a self, caller: Option<&'a Caller>, stray: Stray) -> Later<'a, Refusal> {
        self.lane.stray(caller, stray)
    }

    fn status<'a>(
        &'a self,
        caller: &'a Caller,
        hold: &'a HoldId,
    ) -> Later<'a, Result<HoldStatus, Box<Refusal>>> {
        self.lane.status(caller, hold)
    }
}

impl Partial {
    async fn decided(&self, deciding: &Deciding, attempt: Attempt) -> Answer<Reply> {
        let operation = match self.adapter.classify(&attempt) {
            Ok(operation) => operation,
            Err(ambiguous) => return refused(&ambiguous.to_string()),
        };
        let resolved = self.adapter.resolve(operation, &NoErrands).await;
        match deciding.verdict(&resolved) {
            Verdict::Allow { .. } => self.send(&resolved.operation).await,
            other => refused(other.word()),
        }
    }

    async fn send(&self, operation: &Operation) -> Answer<Reply> {
        let sent = self.adapter.execute(cleared(operation), operation).await;
        match sent.reply {
            Some(reply) => Answer::Reply(reply),
            None => refused(&format!("{:?}", sent.outcome)),
        }
    }
}

impl Deciding {
    fn verdict(&self, resolved: &Resolved) -> Verdict {
        let upstream = &resolved.operation.upstream;
        let questions: Vec<_> = resolved
            .targets
            .iter()
            .map(|target| self.question(upstream, target))
            .collect();
        decide(&questions, &self.policies)
    }

    fn question(&self, upstream: &UpstreamName, target: &Target) -> Question {
        let environment = Environment::Unknown;
        let (effect, resource) = (target.on.effect, &target.on.resource);
        let covered = self
            .rights
            .coverage(upstream, effect, resource, environment);
        let coverage = match covered {
            tagout_core::rights::Coverage::Full => Coverage::Full,
            tagout_core::rights::Coverage::OtherEnvironment => Coverage::OtherEnvironment,
            tagout_core::rights::Coverage::None => Coverage::None,
        };
        Question {
            marks: target.on.marks.clone(),
            members: target.on.members,
            coverage,
            ..Question::new(
                Arc::clone(&self.asker),
                upstream.clone(),
                effect,
                resource.clone(),
                environment,
            )
        }
    }
}

/// An operation of which nothing is known but its bytes.
fn unread(attempt: Attempt) -> Operation {
    Operation {
        upstream: attempt.upstream,
        summary: Untrusted::new(""),
        exact: Exact::new(attempt.bytes),
        shown: Untrusted::new(""),
        canonical: Value::Null,
        effects: Vec::new(),
        secrets: Vec::new(),
    }
}

fn cleared(operation: &Operation) -> Clearance {
    let permit = Permit::mint(
        EngineSeal::new(),
        OperationId::from_bits([9; 16]),
        operation.upstream.clone(),
        OperationDigest::of_operation("bench", &operation.upstream, &operation.canonical),
        operation.exact.digest(),
        Basis::Policy(PolicyDigest::of(b"bench")),
    );
    Clearance::Read(QueuedRead::new(LedgerSeal::new(), permit))
}

fn refused(why: &str) -> Answer<Reply> {
    Answer::Refused(Refusal::new(RefusalKind::Denied, why))
}
