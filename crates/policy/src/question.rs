//! What is asked of policy: one effect on one target, with everything that may matter.

use std::sync::Arc;

use tagout_core::effect::{Effect, Mark};
use tagout_core::environment::Environment;
use tagout_core::ids::{ConnectionId, GrantId, UpstreamName};
use tagout_core::resource::Resource;
use tagout_core::verdict::Mode;

use crate::safeguards::SafeguardSet;

/// One effect on one target. An operation is a list of these; the strictest answer wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// Who asks.
    pub asker: Arc<Asker>,
    /// Where.
    pub upstream: UpstreamName,
    /// How strictly that upstream is guarded. Policies may read it; the engine applies it.
    pub mode: Mode,
    /// What would happen.
    pub effect: Effect,
    /// What the pack says makes it graver or milder.
    pub marks: Vec<Mark>,
    /// To what. `kind:*` is all of a kind: beyond the caps in production unless it is `contained`.
    pub resource: Resource,
    /// The strictest label of the places it would reach.
    pub environment: Environment,
    /// How far the asker's rights reach.
    pub coverage: Coverage,
    /// The grant names `emit` itself.
    pub emit_named: bool,
    /// The grant is for reading only.
    pub read_only: bool,
    /// How many rows or objects this touches.
    pub members: u64,
    /// How many rows or objects of this kind of effect the task has touched before.
    pub task_members: u64,
    /// Whether we ourselves can take it back.
    pub undoable_by_us: bool,
    /// Whether it was measured, and is within the caps.
    pub contained: bool,
    /// What the upstream can do for this target. Delay and people are always offered. `Trial` only as
    /// long as it was not measured: deciding supposes that a trial stays within the caps, and asks the
    /// engine to come again with what it measured.
    pub offers: SafeguardSet,
    /// What has really been done. Read by [`admits`](crate::admits) only.
    pub evidence: Evidence,
}

/// The agent that asks, and on whose behalf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asker {
    /// The name its owner gave it.
    pub agent: String,
    /// The id of the person it acts for.
    pub owner: String,
    /// Its connection.
    pub connection: ConnectionId,
    /// The grant used, if more than standing rights are.
    pub grant: Option<GrantId>,
    /// The title of the task that the grant was opened for.
    pub task: Option<String>,
}

/// How far the rights of a connection and its grants reach. For an effect marked `Undo` the rights to
/// read or to write there are enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coverage {
    /// This effect, on this resource, in this environment.
    Full,
    /// This effect on such a resource, but in another environment.
    OtherEnvironment,
    /// Not at all.
    None,
}

impl Coverage {
    /// All of them, widest first.
    pub const ALL: [Self; 3] = [Self::Full, Self::OtherEnvironment, Self::None];

    /// The word used in policies and cases.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::OtherEnvironment => "other_environment",
            Self::None => "none",
        }
    }
}

/// What has really been done so far to make an operation acceptable. Never what is hoped for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// How many different people approved, and their approvals still hold.
    pub approvals: u8,
    /// The only person enrolled has signed a second time, at least twelve hours after the first.
    /// Counts as a second approval; worth nothing without the first.
    pub solo: bool,
    /// Milliseconds since the last approval that was needed, or since the hold where none was.
    pub waited_ms: u64,
    /// The safeguards that were really put in place and verified. People and delay are not read here.
    pub achieved: SafeguardSet,
}

impl Question {
    /// A question of the strictest kind: one member, nothing offered, nothing undoable, nothing done.
    #[must_use]
    pub fn new(
        asker: Arc<Asker>,
        upstream: UpstreamName,
        effect: Effect,
        resource: Resource,
        environment: Environment,
    ) -> Self {
        Self {
            asker,
            upstream,
            mode: Mode::Guard,
            effect,
            marks: Vec::new(),
            resource,
            environment,
            coverage: Coverage::None,
            emit_named: false,
            read_only: false,
            members: 1,
            task_members: 0,
            undoable_by_us: false,
            contained: false,
            offers: SafeguardSet::NONE,
            evidence: Evidence::default(),
        }
    }

    /// Whether the pack marked it so.
    #[must_use]
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    /// Everything that may be imposed: what the upstream offers, a delay, and people.
    pub(crate) const fn available(&self) -> SafeguardSet {
        self.offers.union(SafeguardSet::ALWAYS_OFFERED)
    }
}

impl Evidence {
    /// How many signatures count: the people, and the second one of somebody who is alone.
    pub(crate) fn signatures(&self) -> u8 {
        if self.solo && self.approvals >= 1 {
            self.approvals.max(2)
        } else {
            self.approvals
        }
    }
}
