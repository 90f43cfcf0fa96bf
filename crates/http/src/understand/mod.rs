//! What an HTTP request means: a pure and total function from bytes to effects.
//!
//! Nothing here asks a clock, a file or a network, and nothing here decides. A request that two parsers
//! could read in two ways is [`Ambiguous`] and must be refused; what is not understood becomes one
//! `unknown` effect on anything. The exact bytes of an operation are written anew from what was parsed:
//! the agent's own bytes are never what goes upstream.

mod ambiguous;
mod draft;
mod encoding;
pub mod explain;
mod generations;
mod graphql;
mod json;
mod message;
pub mod pack;
mod remembered;
mod rest;
mod shape;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;
use tagout_core::digest::BytesDigest;
use tagout_core::effect::EffectOn;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::{Attempt, Operation};

pub use ambiguous::Ambiguous;
use draft::Draft;
use graphql::document::OperationKind;
use message::Message;
use pack::{Case, Pack, PackError, PackText};
use remembered::Remembered;

/// The name of the pack for interfaces that no pack describes.
pub const DEFAULT_PACK: &str = "rest-default";

/// Every pack that is known, by name.
#[derive(Clone, Debug)]
pub struct Packs(BTreeMap<String, Arc<Pack>>);

impl Packs {
    /// The packs that come with Tagout.
    ///
    /// # Errors
    /// Only if a pack is broken; a test loads them all.
    pub fn built_in() -> Result<Self, PackError> {
        Self::load(&pack::built_in::texts())
    }

    /// Packs from their texts.
    ///
    /// # Errors
    /// The first thing that is wrong with one of them.
    pub fn load(texts: &[PackText]) -> Result<Self, PackError> {
        let mut packs = BTreeMap::new();
        for text in texts {
            let pack = Pack::load(text)?;
            let name = pack.name.clone();
            if packs.insert(name.clone(), Arc::new(pack)).is_some() {
                return Err(PackError::Name(name));
            }
        }
        Ok(Self(packs))
    }

    /// These packs and others; one of the same name takes the place of the earlier.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// The names of all packs.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The version of a pack.
    #[must_use]
    pub fn version(&self, pack: &str) -> Option<&str> {
        self.0.get(pack).map(|pack| pack.version.as_str())
    }

    /// The hosts that a pack describes, in lower case, without ports.
    #[must_use]
    pub fn hosts(&self, pack: &str) -> &[String] {
        self.0.get(pack).map_or(&[], |pack| &pack.hosts)
    }

    /// The pack that describes a host (lower case, no port).
    #[must_use]
    pub fn of_host(&self, host: &str) -> Option<&str> {
        let found = self
            .0
            .values()
            .find(|pack| pack.hosts.iter().any(|known| known == host));
        found.map(|pack| pack.name.as_str())
    }

    /// A pack's own cases, to be run against the pack alone.
    #[must_use]
    pub fn cases(&self, pack: &str) -> &[Case] {
        self.0.get(pack).map_or(&[], |pack| &pack.cases)
    }
}

/// The classifier: which packs read the requests of which upstream.
#[derive(Clone, Debug)]
pub struct Understanding {
    upstreams: HashMap<UpstreamName, Vec<Arc<Pack>>>,
    remembered: Arc<Remembered>,
}

/// A route on which bodies of any size pass, with their size and hash on the record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UploadRoute {
    /// The path template, for messages.
    pub path: String,
}

impl Understanding {
    /// A classifier for these upstreams, each with the names of its packs. The first pack that knows a
    /// request reads it; what none knows is read as the first one says.
    ///
    /// # Errors
    /// [`PackError::Name`] for a pack that is not there, or an upstream without packs.
    pub fn new(
        packs: &Packs,
        upstreams: &BTreeMap<UpstreamName, Vec<String>>,
    ) -> Result<Self, PackError> {
        let pack = |name: &String| {
            packs
                .0
                .get(name)
                .cloned()
                .ok_or_else(|| PackError::Name(name.clone()))
        };
        let upstream = |(upstream, names): (&UpstreamName, &Vec<String>)| {
            if names.is_empty() {
                return Err(PackError::Name(DEFAULT_PACK.to_owned()));
            }
            let packs = names.iter().map(pack).collect::<Result<_, _>>()?;
            Ok((upstream.clone(), packs))
        };
        let upstreams = upstreams.iter().map(upstream).collect::<Result<_, _>>()?;
        Ok(Self {
            upstreams,
            remembered: Arc::default(),
        })
    }

    /// What an attempt means.
    ///
    /// # Errors
    /// [`Ambiguous`] if two parsers could read the request differently: it must be refused.
    pub fn classify(&self, attempt: &Attempt) -> Result<Operation, Ambiguous> {
        if let Some(known) = self.remembered.of(attempt) {
            return Ok(known);
        }
        let operation = self.classify_anew(attempt)?;
        self.remembered.keep(attempt, &operation);
        Ok(operation)
    }

    fn classify_anew(&self, attempt: &Attempt) -> Result<Operation, Ambiguous> {
        let message = Message::parse(&attempt.bytes)?;
        let draft = match self.packs(&attempt.upstream) {
            packs if packs.is_empty() => {
                draft::not_understood(&message, "no pack reads this upstream")
            }
            packs => read(&packs, &message)?,
        };
        Ok(draft.finish(&attempt.upstream, &message))
    }

    /// What a root field does with these coerced arguments: `Mutation` fields such as
    /// `environmentPatchCommit` that a resolver found to be what is really staged. `None` if the
    /// upstream's packs have no such mutation.
    #[must_use]
    pub fn effects_of_mutation(
        &self,
        upstream: &UpstreamName,
        name: &str,
        args: &Value,
    ) -> Option<Vec<EffectOn>> {
        self.packs(upstream).into_iter().find_map(|pack| {
            let root = pack.graphql.as_ref()?.root(OperationKind::Mutation);
            Some(graphql::judge::judge(
                pack,
                root.rules.get(name)?,
                name,
                args,
            ))
        })
    }

    /// The declared upload route that a request's head (request line, headers with the length as it came,
    /// and the empty line) matches. Only for such a request may a body pass that is larger than the limit.
    #[must_use]
    pub fn upload_route(&self, upstream: &UpstreamName, head: &Bytes) -> Option<UploadRoute> {
        let message = Message::parse_head(head).ok()?;
        let (_, route) = rest::upload(&self.packs(upstream), &message)?;
        Some(UploadRoute {
            path: route.path.clone(),
        })
    }

    /// What a declared upload means whose body was hashed while it went to a file. `exact` then holds
    /// the head only, without a length: whoever sends the body adds that.
    ///
    /// # Errors
    /// [`Ambiguous`] as [`Self::classify`].
    pub fn classify_upload(
        &self,
        upstream: &UpstreamName,
        head: &Bytes,
        size_bytes: u64,
        hash: BytesDigest,
    ) -> Result<Operation, Ambiguous> {
        let message = Message::parse_head(head)?;
        let packs = self.packs(upstream);
        let draft = match rest::upload(&packs, &message) {
            Some((pack, route)) => {
                let effects = rest::upload_effects(pack, route, &message);
                rest::upload_draft(&message, effects, size_bytes, hash)
            }
            None => draft::not_understood(&message, "not a declared upload route"),
        };
        Ok(draft.finish(upstream, &message))
    }

    fn packs(&self, upstream: &UpstreamName) -> Vec<&Pack> {
        let packs = self.upstreams.get(upstream);
        packs.map_or_else(Vec::new, |packs| packs.iter().map(Arc::as_ref).collect())
    }
}

/// Reads a message by the packs of its upstream.
fn read(packs: &[&Pack], message: &Message) -> Result<Draft, Ambiguous> {
    let speaks = |pack: &&&Pack| {
        let graphql = pack.graphql.as_ref();
        graphql.is_some_and(|graphql| graphql.paths.contains(&message.path))
    };
    match packs.iter().find(speaks) {
        Some(pack) => graphql::classify(pack, message),
        None => rest::classify(packs, message),
    }
}
