//! The life of a hold, with every illegal step refused.

use serde::{Deserialize, Serialize};

/// How long a hold waits for a person.
pub const HOLD_LIFE_MS: u64 = 60 * 60 * 1000;

/// How long an approval waits for the agent to ask again.
pub const APPROVAL_LIFE_MS: u64 = 15 * 60 * 1000;

/// Where a hold stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// Waits for a person.
    Pending,
    /// May run once, when the agent asks again.
    Approved,
    /// Its intent is recorded; it is on its way.
    Executing,
    /// It ran.
    Executed,
    /// It ran and was refused, or failed, upstream; nothing happened.
    Failed,
    /// We can't know whether it happened.
    Unknown,
    /// A person said no.
    Denied,
    /// Nobody answered, which means no.
    Expired,
    /// The agent took it back, or its grant was revoked.
    Withdrawn,
    /// Approved, and then not asked for in time.
    Lapsed,
    /// Approved, and then the world moved beyond what was approved.
    Void,
    /// Approved; the gateway runs it at its time unless somebody cancels.
    Scheduled,
    /// Somebody cancelled it before its time.
    Cancelled,
}

/// What can happen to a hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldEvent {
    /// As many people as needed agreed.
    Approve,
    /// A person said no.
    Deny,
    /// Its time to wait ran out.
    Expire,
    /// The agent, or a revocation, took it back.
    Withdraw,
    /// The approval demands a delay.
    Schedule,
    /// The approval was not used in time.
    Lapse,
    /// It was measured again and is not what was approved.
    Drift,
    /// Its intent is recorded and it is sent.
    Execute,
    /// Somebody cancelled it.
    Cancel,
    /// It ran.
    Succeed,
    /// It was refused upstream.
    Fail,
    /// The answer was lost.
    Lose,
}

/// A step that the life of a hold doesn't have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a hold that is {from:?} can't {event:?}")]
pub struct IllegalStep {
    /// Where it stands.
    pub from: HoldState,
    /// What was tried.
    pub event: HoldEvent,
}

impl HoldState {
    /// Every state.
    pub const ALL: [Self; 13] = [
        Self::Pending,
        Self::Approved,
        Self::Executing,
        Self::Executed,
        Self::Failed,
        Self::Unknown,
        Self::Denied,
        Self::Expired,
        Self::Withdrawn,
        Self::Lapsed,
        Self::Void,
        Self::Scheduled,
        Self::Cancelled,
    ];

    /// The state after `event`.
    ///
    /// # Errors
    /// [`IllegalStep`] for everything that is not listed here.
    pub const fn after(self, event: HoldEvent) -> Result<Self, IllegalStep> {
        use HoldEvent as E;
        Ok(match (self, event) {
            (Self::Pending, E::Approve) => Self::Approved,
            (Self::Pending, E::Deny) => Self::Denied,
            (Self::Pending, E::Expire) => Self::Expired,
            (Self::Pending | Self::Approved, E::Withdraw) => Self::Withdrawn,
            (Self::Approved, E::Schedule) => Self::Scheduled,
            (Self::Approved, E::Lapse) => Self::Lapsed,
            (Self::Approved | Self::Scheduled, E::Drift) => Self::Void,
            (Self::Approved | Self::Scheduled, E::Execute) => Self::Executing,
            (Self::Scheduled, E::Cancel) => Self::Cancelled,
            (Self::Executing, E::Succeed) => Self::Executed,
            (Self::Executing, E::Fail) => Self::Failed,
            (Self::Executing, E::Lose) => Self::Unknown,
            (from, event) => return Err(IllegalStep { from, event }),
        })
    }

    /// Whether nothing can happen to it any more.
    #[must_use]
    pub const fn is_final(self) -> bool {
        !matches!(
            self,
            Self::Pending | Self::Approved | Self::Scheduled | Self::Executing
        )
    }

    /// The word used in JSON, on cards and on the command line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Executing => "executing",
            Self::Executed => "executed",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
            Self::Void => "void",
            Self::Scheduled => "scheduled",
            Self::Cancelled => "cancelled",
        }
    }
}

impl HoldEvent {
    /// Every event.
    pub const ALL: [Self; 12] = [
        Self::Approve,
        Self::Deny,
        Self::Expire,
        Self::Withdraw,
        Self::Schedule,
        Self::Lapse,
        Self::Drift,
        Self::Execute,
        Self::Cancel,
        Self::Succeed,
        Self::Fail,
        Self::Lose,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_table_of_steps() {
        let mut legal = Vec::new();
        for state in HoldState::ALL {
            for event in HoldEvent::ALL {
                if let Ok(next) = state.after(event) {
                    legal.push(format!("{} -{event:?}-> {}", state.word(), next.word()));
                }
            }
        }
        let expected = "pending -Approve-> approved|pending -Deny-> denied|pending -Expire-> expired\
            |pending -Withdraw-> withdrawn|approved -Withdraw-> withdrawn|approved -Schedule-> scheduled\
            |approved -Lapse-> lapsed|approved -Drift-> void|approved -Execute-> executing\
            |executing -Succeed-> executed|executing -Fail-> failed|executing -Lose-> unknown\
            |scheduled -Drift-> void|scheduled -Execute-> executing|scheduled -Cancel-> cancelled";
        assert_eq!(legal.join("|"), expected);
    }

    #[test]
    fn final_states_are_those_without_a_way_out() {
        for state in HoldState::ALL {
            let stuck = HoldEvent::ALL
                .iter()
                .all(|event| state.after(*event).is_err());
            assert_eq!(state.is_final(), stuck, "{state:?}");
        }
    }
}
