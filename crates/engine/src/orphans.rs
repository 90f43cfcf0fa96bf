//! After a crash: what was begun and never finished, and what was spent since the store summed it up.
//!
//! An intent without an outcome may have happened. It is never sent again; it becomes `unknown` and a
//! person is told; for a while an identical request gets that as its answer. A hold that was consumed
//! without an intent was certainly not sent.

use std::collections::HashMap;

use serde::Deserialize;
use tagout_core::card::Hold;
use tagout_core::digest::OperationDigest;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{HoldId, OperationId};
use tagout_core::pipeline::Outcome;
use tagout_core::time::UnixMs;

use crate::carry::{NOT_SENT, event_of, line_of};
use crate::engine::Engine;
use crate::error::EngineError;
use crate::leaf::Leaf;
use crate::notice::Notice;
use crate::purses::Charge;

const STOPPED: &str = "the gateway stopped while it was on its way";

/// Of each leaf, as much as tells intents from outcomes.
#[derive(Deserialize)]
struct Seen {
    #[serde(rename = "type")]
    kind: String,
    op: Option<OperationId>,
    at: UnixMs,
    hold: Option<HoldId>,
    what: Option<SeenWhat>,
    spent: Option<Charge>,
    outcome: Option<Outcome>,
}

#[derive(Deserialize)]
struct SeenWhat {
    operation: OperationDigest,
}

/// One intent and what is known of its end.
struct Begun {
    index: u64,
    hold: Option<HoldId>,
    operation: Option<OperationDigest>,
    spent: Option<Charge>,
    ended: Option<UnixMs>,
    outcome: Option<Outcome>,
}

impl Engine {
    /// Settles everything that an earlier process left open.
    pub(crate) async fn settle_orphans(&self) -> Result<(), EngineError> {
        let from = self.settled_below().await?.min(self.purses.counts_from());
        let begun = self.begun(from)?;
        for (op, each) in &begun {
            self.count_again(each);
            if each.outcome.is_none() {
                self.settle_unknown(op, each).await?;
            }
            self.remember(each);
        }
        let ends = begun
            .into_values()
            .filter_map(|each| Some((each.hold?, each.outcome)));
        let ends: HashMap<HoldId, Option<Outcome>> = ends.collect();
        for hold in self.store.list_holds(0).await? {
            if hold.state == HoldState::Executing {
                self.settle_hold(&hold, ends.get(&hold.id)).await?;
            }
        }
        Ok(())
    }

    /// What may have been sent has spent what its intent says.
    fn count_again(&self, begun: &Begun) {
        let unsent = matches!(begun.outcome, Some(Outcome::NotSent(_)));
        if let Some(charge) = begun.spent.as_ref().filter(|_| !unsent) {
            self.purses.count_again(begun.index, charge);
        }
    }

    /// What can't be known, and what ended so lately that its answer may never have been heard, is not
    /// sent again just because the gateway was restarted.
    fn remember(&self, begun: &Begun) {
        let outcome = match &begun.outcome {
            None => Outcome::Unknown(STOPPED.to_owned()),
            Some(Outcome::NotSent(_)) => return,
            Some(outcome) => outcome.clone(),
        };
        if let Some(operation) = begun.operation {
            let at = begun.ended.unwrap_or_else(|| self.clock.now());
            self.receipts.keep(operation, &outcome, at);
        }
    }

    /// Every intent from this index on, with its outcome where there is one.
    fn begun(&self, from: u64) -> Result<HashMap<OperationId, Begun>, EngineError> {
        let mut begun: HashMap<OperationId, Begun> = HashMap::new();
        for entry in self.record.ledger().entries(from..u64::MAX) {
            let (index, bytes) = entry?;
            let Ok(seen) = serde_json::from_slice::<Seen>(&bytes) else {
                continue;
            };
            match (seen.kind.as_str(), seen.op) {
                ("intent", Some(op)) => {
                    let intent = Begun {
                        index,
                        hold: seen.hold,
                        operation: seen.what.map(|what| what.operation),
                        spent: seen.spent,
                        ended: None,
                        outcome: None,
                    };
                    begun.insert(op, intent);
                }
                ("outcome", Some(op)) => {
                    if let Some(each) = begun.get_mut(&op) {
                        each.ended = Some(seen.at);
                        each.outcome = seen.outcome;
                    }
                }
                _ => {}
            }
        }
        Ok(begun)
    }

    async fn settle_unknown(&self, op: &OperationId, begun: &Begun) -> Result<(), EngineError> {
        let outcome = Outcome::Unknown(STOPPED.to_owned());
        let leaf = Leaf::Outcome {
            op: op.clone(),
            intent: begun.index,
            outcome,
        };
        self.record.note(&leaf).await?;
        let line =
            format!("{op} was on its way when the gateway stopped; look whether it happened");
        self.tell(Notice::Unknown { line });
        Ok(())
    }

    /// `None`: there is no intent. `Some(None)`: there is one without an outcome.
    async fn settle_hold(
        &self,
        hold: &Hold,
        end: Option<&Option<Outcome>>,
    ) -> Result<(), EngineError> {
        let (event, line) = match end {
            None => (
                HoldEvent::Fail,
                format!("{NOT_SENT}the gateway stopped before"),
            ),
            Some(None) => (HoldEvent::Lose, format!("unknown: {STOPPED}")),
            Some(Some(outcome)) => (event_of(outcome), line_of(outcome)),
        };
        self.store
            .step(&hold.id, HoldState::Executing, event, Some(line))
            .await?;
        Ok(())
    }
}
