//! Why an operation goes no further: what the agent is told, and what is recorded.

use tagout_core::ids::HoldId;
use tagout_core::pipeline::{Ambiguous, Outcome};
use tagout_core::refusal::{Refusal, RefusalKind};
use tagout_core::store::StoreError;
use tagout_core::time::UnixMs;
use tagout_ledger::LedgerError;

use crate::error::EngineError;
use crate::leaf::What;

/// The end of an operation's way.
#[derive(Debug)]
pub(crate) struct Stop {
    pub(crate) refusal: Box<Refusal>,
    /// In our own words, for the ledger.
    pub(crate) reason: String,
    pub(crate) what: Option<Box<What>>,
    /// Whether it has its own record already, or is none of the ledger's business.
    pub(crate) recorded: bool,
}

impl Stop {
    /// A refusal that is told and recorded in the same words.
    pub(crate) fn new(kind: RefusalKind, what: &str) -> Self {
        let refusal = Refusal::new(kind, what);
        Self {
            refusal: Box::new(refusal),
            reason: what.to_owned(),
            what: None,
            recorded: false,
        }
    }

    /// A refusal whose record was made by whoever made it.
    pub(crate) fn recorded(refusal: Refusal) -> Self {
        Self {
            reason: refusal.line.clone(),
            refusal: Box::new(refusal),
            what: None,
            recorded: true,
        }
    }

    pub(crate) fn frozen() -> Self {
        let mut stop = Self::new(
            RefusalKind::Frozen,
            "a person has stopped everything. Nothing was executed.",
        );
        stop.refusal.retry_after_s = Some(60);
        stop.recorded = true;
        stop
    }

    pub(crate) fn revoked() -> Self {
        Self::new(
            RefusalKind::Token,
            "a person has ended this connection or its task. Nothing was executed.",
        )
    }

    pub(crate) fn rate(wait_ms: u64) -> Self {
        let mut stop = Self::new(
            RefusalKind::Rate,
            "too many requests. This one was not executed.",
        );
        stop.refusal.retry_after_s = Some(wait_ms.div_ceil(1000).max(1));
        stop.recorded = true;
        stop
    }

    pub(crate) fn ambiguous(ambiguous: &Ambiguous) -> Self {
        let line = format!("{ambiguous}. It was not executed.");
        Self::new(RefusalKind::Denied, &line).because("it can be read in more than one way")
    }

    /// The reason for the ledger, where what the agent is told repeats its own text.
    pub(crate) fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    pub(crate) fn about(mut self, what: What) -> Self {
        self.what = Some(Box::new(what));
        self
    }

    /// What became of something, instead of doing it again.
    pub(crate) fn done(hold: Option<HoldId>, outcome: &Outcome, summary: &str) -> Self {
        let said = match outcome {
            Outcome::Done(detail) => format!("{summary} was executed already: {detail}"),
            Outcome::Failed(detail) => {
                format!("{summary} was sent already and the upstream refused it: {detail}")
            }
            Outcome::Unknown(detail) => format!(
                "{summary} was sent already and nobody can know whether it happened ({detail}). A person must look. It is not sent again."
            ),
            Outcome::NotSent(detail) => format!("{summary} was not sent: {detail}"),
        };
        let mut refusal = match hold {
            Some(hold) => Refusal::about(RefusalKind::Done, hold),
            None => Refusal::new(RefusalKind::Done, ""),
        };
        refusal.line = format!("DONE by tagout: {said}");
        refusal.advice =
            "This is the receipt of the first time; the request was not sent again.".to_owned();
        Self::recorded(refusal)
    }

    /// It is being sent right now, or the agent that asked for it has gone.
    pub(crate) fn on_its_way(hold: Option<HoldId>, summary: &str) -> Self {
        let mut refusal = match hold {
            Some(hold) => Refusal::about(RefusalKind::Done, hold),
            None => Refusal::new(RefusalKind::Done, ""),
        };
        refusal.line = format!(
            "DONE by tagout: {summary} is being executed right now, for an earlier request. It is not sent twice."
        );
        Self::recorded(refusal)
    }

    /// Something changed between the decision and the sending.
    pub(crate) fn moved() -> Self {
        Self::new(
            RefusalKind::Denied,
            "the rights, the policy or the upstream changed at this moment. It was not executed; ask again.",
        )
    }

    pub(crate) fn scheduled(hold: HoldId, summary: &str, at: UnixMs) -> Self {
        Self::recorded(Refusal::scheduled(hold, summary, &at.to_string()))
    }
}

impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        Self::new(
            RefusalKind::Unrecorded,
            &format!("{error}. It was not executed."),
        )
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooMany(waiting) => {
                let line = format!(
                    "{waiting} of this connection's requests wait for a person already. This one was not executed."
                );
                Self::new(RefusalKind::Rate, &line)
            }
            StoreError::Settled(word) if word == "frozen" => Self::frozen(),
            StoreError::Settled(word) if word == "revoked" => Self::revoked(),
            other => EngineError::from(other).into(),
        }
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        EngineError::from(error).into()
    }
}
