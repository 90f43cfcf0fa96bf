//! After a crash: what was begun and never finished.
//!
//! An intent without an outcome may have happened. It is never sent again; it becomes `unknown` and a
//! person is told. A hold that was consumed without an intent was certainly not sent.

use std::collections::HashMap;

use serde::Deserialize;
use tagout_core::card::Hold;
use tagout_core::hold::{HoldEvent, HoldState};
use tagout_core::ids::{HoldId, OperationId};
use tagout_core::pipeline::Outcome;

use crate::engine::Engine;
use crate::error::EngineError;
use crate::lane::{event_of, line_of};
use crate::leaf::Leaf;
use crate::notice::Notice;

/// Of each leaf, as much as tells intents from outcomes.
#[derive(Deserialize)]
struct Seen {
    #[serde(rename = "type")]
    kind: String,
    op: Option<OperationId>,
    hold: Option<HoldId>,
    outcome: Option<Outcome>,
}

/// One intent and what is known of its end.
struct Begun {
    index: u64,
    hold: Option<HoldId>,
    outcome: Option<Outcome>,
}

impl Engine {
    /// Settles everything that an earlier process left open.
    pub(crate) async fn settle_orphans(&self) -> Result<(), EngineError> {
        let begun = self.begun()?;
        for (op, each) in &begun {
            if each.outcome.is_none() {
                self.settle_unknown(op, each).await?;
            }
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

    fn begun(&self) -> Result<HashMap<OperationId, Begun>, EngineError> {
        let mut begun: HashMap<OperationId, Begun> = HashMap::new();
        for entry in self.record.ledger().entries(0..u64::MAX) {
            let (index, bytes) = entry?;
            let Ok(seen) = serde_json::from_slice::<Seen>(&bytes) else {
                continue;
            };
            match (seen.kind.as_str(), seen.op) {
                ("intent", Some(op)) => {
                    begun.insert(
                        op,
                        Begun {
                            index,
                            hold: seen.hold,
                            outcome: None,
                        },
                    );
                }
                ("outcome", Some(op)) => {
                    if let Some(each) = begun.get_mut(&op) {
                        each.outcome = seen.outcome;
                    }
                }
                _ => {}
            }
        }
        Ok(begun)
    }

    async fn settle_unknown(&self, op: &OperationId, begun: &Begun) -> Result<(), EngineError> {
        let outcome = Outcome::Unknown("the gateway stopped while it was on its way".to_owned());
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
                "not sent: the gateway stopped before".to_owned(),
            ),
            Some(None) => (
                HoldEvent::Lose,
                "unknown: the gateway stopped while it was on its way".to_owned(),
            ),
            Some(Some(outcome)) => (event_of(outcome), line_of(outcome)),
        };
        self.store
            .step(&hold.id, HoldState::Executing, event, Some(line))
            .await?;
        Ok(())
    }
}
