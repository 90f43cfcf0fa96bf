//! The one shape of every answer that is not the upstream's own.

use serde::{Deserialize, Serialize};

use crate::ids::HoldId;

/// Why the upstream's answer is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RefusalKind {
    /// Waits for a person.
    Held,
    /// Policy or a person said no.
    Denied,
    /// Accepted; the gateway runs it later.
    Scheduled,
    /// Done before, or done in a safer way: here is the receipt.
    Done,
    /// A budget is used up.
    Budget,
    /// A rate is exceeded for now.
    Rate,
    /// Somebody stopped everything.
    Frozen,
    /// The token is missing, malformed, revoked or idle too long.
    Token,
    /// The record can't be written, so nothing may happen.
    Unrecorded,
    /// The upstream did not answer.
    Upstream,
}

impl RefusalKind {
    /// The word that begins the first line.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Held => "HELD",
            Self::Denied => "DENIED",
            Self::Scheduled => "SCHEDULED",
            Self::Done => "DONE",
            Self::Budget => "BUDGET",
            Self::Rate => "RATE",
            Self::Frozen => "FROZEN",
            Self::Token => "TOKEN",
            Self::Unrecorded => "UNRECORDED",
            Self::Upstream => "UPSTREAM",
        }
    }
}

/// An answer of the gateway's own. The first line is complete in itself, because many clients show
/// nothing else. It never reads like a failed sign-in upstream: that sends agents looking for other
/// credentials.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// What sort of answer.
    pub kind: RefusalKind,
    /// The first line. Text from outside in it is escaped already.
    pub line: String,
    /// What to do now.
    pub advice: String,
    /// What would be allowed instead.
    pub instead: Option<String>,
    /// The hold it is about.
    pub hold: Option<HoldId>,
    /// Where the agent can ask how it stands, relative to the agent listener.
    pub status_path: Option<String>,
    /// Seconds after which asking again makes sense.
    pub retry_after_s: Option<u64>,
}

/// What every held or denied agent is told to do.
const GO_ON: &str = "Do not retry, reword or split the request, and do not use another credential: \
    every way leads to the same decision. Go on with other work.";

impl Refusal {
    /// An answer with the standing advice and nothing else.
    #[must_use]
    pub fn new(kind: RefusalKind, what: &str) -> Self {
        Self {
            kind,
            line: format!("{} by tagout: {what}", kind.word()),
            advice: GO_ON.to_owned(),
            instead: None,
            hold: None,
            status_path: None,
            retry_after_s: None,
        }
    }

    /// `HELD by tagout (hold_…): <what> needs a person's approval. It was not executed.`
    #[must_use]
    pub fn held(hold: HoldId, what: &str, people: u8) -> Self {
        let who = if people > 1 {
            "two people's approval"
        } else {
            "a person's approval"
        };
        Self {
            line: format!("HELD by tagout ({hold}): {what} needs {who}. It was not executed."),
            advice: format!("{GO_ON} When it is approved, repeat the identical request once."),
            ..Self::about(RefusalKind::Held, hold)
        }
    }

    /// `SCHEDULED by tagout (hold_…): …`
    #[must_use]
    pub fn scheduled(hold: HoldId, what: &str, at: &str) -> Self {
        Self {
            line: format!(
                "SCHEDULED by tagout ({hold}): {what} was approved and runs at {at} unless somebody cancels it. It has not been executed yet."
            ),
            advice:
                "Do not repeat the request: the gateway runs it by itself. Go on with other work."
                    .to_owned(),
            ..Self::about(RefusalKind::Scheduled, hold)
        }
    }

    /// An answer about a hold, with the place to ask how it stands.
    #[must_use]
    pub fn about(kind: RefusalKind, hold: HoldId) -> Self {
        let status_path = Some(format!("/.tagout/holds/{hold}"));
        Self {
            hold: Some(hold),
            status_path,
            ..Self::new(kind, "")
        }
    }

    /// The same with what would be allowed instead.
    #[must_use]
    pub fn or_instead(mut self, instead: Option<String>) -> Self {
        self.instead = instead;
        self
    }

    /// The whole text, for clients that show more than the first line.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}", self.line, self.advice);
        if let Some(instead) = &self.instead {
            text.push_str("\nAllowed instead: ");
            text.push_str(instead);
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_complete_in_itself() {
        let hold = HoldId::from_bits([7; 16]);
        let refusal = Refusal::held(hold.clone(), "DROP TABLE public.bookings in production", 1);
        assert_eq!(
            refusal.line,
            format!(
                "HELD by tagout ({hold}): DROP TABLE public.bookings in production needs a person's approval. It was not executed."
            )
        );
        assert_eq!(refusal.status_path, Some(format!("/.tagout/holds/{hold}")));
        for kind in [RefusalKind::Denied, RefusalKind::Token, RefusalKind::Frozen] {
            let text = Refusal::new(kind, "x").text().to_lowercase();
            assert!(
                !text.contains("unauthorized") && !text.contains("forbidden"),
                "{text}"
            );
        }
    }
}
