//! Everything that would widen authority, as data that a present person accepts or refuses.
//!
//! Files and command lines can only make these. Nothing here takes effect by itself.

use serde::{Deserialize, Serialize};

use crate::canonical::canonical_text;
use crate::digest::ProposalDigest;
use crate::environment::Environment;
use crate::grant::Budget;
use crate::ids::{
    AuthenticatorId, CeremonyId, ConnectionId, FreezeId, GrantId, PersonId, ProposalId,
    UpstreamName,
};
use crate::resource::Resource;
use crate::rights::Rights;
use crate::time::UnixMs;
use crate::untrusted::Untrusted;
use crate::verdict::Mode;

/// What would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// A new agent's connection.
    Connect {
        /// Its id, chosen by the proposer so that it can name it.
        id: ConnectionId,
        /// Which agent.
        agent: Untrusted,
        /// Where it works.
        workspace: Untrusted,
        /// Its standing rights.
        rights: Rights,
        /// Its standing budget.
        budget: Budget,
    },
    /// Rights for one task.
    OpenGrant {
        /// Its id.
        id: GrantId,
        /// Whose.
        connection: ConnectionId,
        /// The grant it is below, if any.
        parent: Option<GrantId>,
        /// For what.
        task: Untrusted,
        /// Which rights.
        rights: Rights,
        /// How much.
        budget: Budget,
        /// For how long, in milliseconds from acceptance.
        life_ms: u64,
    },
    /// What an environment's id means.
    Label {
        /// The upstream.
        upstream: UpstreamName,
        /// The provider's id of the environment.
        place: String,
        /// What the provider calls it, for the person to recognise.
        name: Untrusted,
        /// What it is.
        environment: Environment,
    },
    /// An upstream: its address, its pack, where its credential comes from, its mode.
    Upstream(Upstream),
    /// More policies beside the default pack; replaces those accepted before.
    Policies {
        /// Each file's name and text.
        files: Vec<(String, String)>,
    },
    /// The end of a freeze.
    Thaw {
        /// Which.
        freeze: FreezeId,
    },
    /// One more passkey, for an existing or a new person.
    Authenticator {
        /// Its id.
        id: AuthenticatorId,
        /// Whose.
        person: PersonId,
        /// The person's name.
        name: Untrusted,
        /// The credential's id at the authenticator, base64url.
        credential: String,
        /// The public key, COSE, base64url.
        public_key: String,
    },
}

/// An upstream as accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Upstream {
    /// Its name.
    pub name: UpstreamName,
    /// Where it is: `https://host[:port]`. The credential is bound to this host.
    pub url: String,
    /// Other hosts that mean the same upstream for agents.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// What we know of it: the name of a pack.
    pub pack: String,
    /// Where its credential comes from: `env:NAME`, `file:PATH`, `systemd:NAME`, `vault:` for one
    /// that is kept encrypted in the store, or `none`.
    pub credential: String,
    /// The header that carries it, and the text before it: `authorization: Bearer`.
    pub header: String,
    /// A file with the certificate authority to trust for it, besides the system's.
    #[serde(default)]
    pub ca_file: Option<String>,
    /// What Tagout itself lives on at this upstream, as `kind:id`: its service, volume, environment,
    /// project, domain. Agents may read there and nothing else.
    #[serde(default)]
    pub ourselves: Vec<Resource>,
    /// How strictly it is guarded.
    #[serde(default)]
    pub mode: Mode,
}

/// Something that waits for a person's tap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// What would change.
    pub change: Change,
    /// Who proposed it: `command line`, `configuration file`, or a connection's id. Claimed.
    pub from: Untrusted,
    /// When.
    pub created: UnixMs,
    /// Where it stands.
    pub state: ProposalState,
}

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProposalState {
    /// Waits.
    Open,
    /// A person accepted it; it is in force.
    Accepted,
    /// A person refused it.
    Refused,
    /// Nobody answered within a day.
    Expired,
}

/// Proposals live a day.
pub const PROPOSAL_LIFE_MS: u64 = 24 * 60 * 60 * 1000;

impl Change {
    /// What a person signs when accepting: the whole change.
    #[must_use]
    pub fn digest(&self) -> ProposalDigest {
        ProposalDigest::of(canonical_text(self).as_bytes())
    }
}

/// The signed acceptance of a change, kept with what it brought into force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acceptance {
    /// The ceremony.
    pub ceremony: CeremonyId,
    /// By whom.
    pub person: PersonId,
    /// When.
    pub at: UnixMs,
    /// The canonical text of what was signed.
    pub challenge: String,
    /// The passkey's answer.
    pub assertion: crate::passkey::Assertion,
    /// The public key it verifies with, as COSE bytes in base64url.
    pub public_key: String,
}
