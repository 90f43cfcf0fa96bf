//! `tagout explain http --batch`: one JSON object a line in, one out. Offline.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde_json::{Map, Value, json};
use tagout_core::effect::{Effect, EffectOn, Reversibility};
use tagout_core::ids::UpstreamName;
use tagout_core::operation::Attempt;
use tagout_core::resource::Resource;

use super::message::Message;
use super::pack::PackError;
use super::{DEFAULT_PACK, Packs, Understanding, json as strict};

/// Explains requests by the pack of the host that they name, and others by the default pack.
#[derive(Clone, Debug)]
pub struct Explainer {
    packs: Packs,
    default: UpstreamName,
    understanding: Understanding,
}

impl Explainer {
    /// An explainer with these packs, each under its own name as the upstream.
    ///
    /// # Errors
    /// If a pack's name can't name an upstream, or the default pack is missing.
    pub fn new(packs: Packs) -> Result<Self, PackError> {
        if packs.version(DEFAULT_PACK).is_none() {
            return Err(PackError::Name(DEFAULT_PACK.to_owned()));
        }
        let upstream = |name: &str| {
            let upstream: UpstreamName =
                name.parse().map_err(|_| PackError::Name(name.to_owned()))?;
            Ok((upstream, vec![name.to_owned()]))
        };
        let upstreams: BTreeMap<_, _> = packs.names().map(upstream).collect::<Result<_, _>>()?;
        let understanding = Understanding::new(&packs, &upstreams)?;
        let (default, _) = upstream(DEFAULT_PACK)?;
        Ok(Self {
            packs,
            default,
            understanding,
        })
    }

    /// Answers one line of a batch: `{"id": …, "input": "…"}` or `{"id": …, "input_base64": "…"}` with
    /// one raw HTTP/1.1 request. What can't be read is answered with `unknown`, never left out.
    #[must_use]
    pub fn batch_line(&self, line: &str) -> String {
        let (id, input) = match input(line) {
            Ok(given) => given,
            Err((id, why)) => return answer(&id, &[unknown(&why)], Reversibility::Unknown),
        };
        let attempt = Attempt {
            upstream: self.upstream(&input),
            bytes: input,
        };
        match self.understanding.classify(&attempt) {
            Ok(operation) => answer(&id, &operation.effects, operation.reversibility()),
            Err(ambiguous) => answer(
                &id,
                &[unknown(&format!("refused: {ambiguous}"))],
                Reversibility::Unknown,
            ),
        }
    }

    /// The upstream that stands for a request's host.
    #[must_use]
    pub fn upstream(&self, request: &Bytes) -> UpstreamName {
        let host = Message::parse(request)
            .ok()
            .and_then(|message| message.host());
        let pack = host.as_deref().and_then(|host| self.packs.of_host(host));
        let upstream = pack.and_then(|name| name.parse().ok());
        upstream.unwrap_or_else(|| self.default.clone())
    }

    /// The classifier behind.
    #[must_use]
    pub const fn understanding(&self) -> &Understanding {
        &self.understanding
    }
}

fn unknown(why: &str) -> EffectOn {
    EffectOn::new(Effect::Unknown, Resource::anything(), why)
}

/// The id and the request of a line; an error has the id, as far as there is one, and the reason.
fn input(line: &str) -> Result<(Value, Bytes), (Value, String)> {
    let value = strict::parse(line.as_bytes())
        .map_err(|_| (Value::Null, "the line is not JSON".to_owned()))?;
    let id = value.get("id").cloned().unwrap_or(Value::Null);
    match (value.get("input"), value.get("input_base64")) {
        (Some(Value::String(text)), None) => Ok((id, Bytes::copy_from_slice(text.as_bytes()))),
        (None, Some(Value::String(text))) => match STANDARD.decode(text) {
            Ok(bytes) => Ok((id, bytes.into())),
            Err(_) => Err((id, "`input_base64` is not base64".to_owned())),
        },
        _ => Err((
            id,
            "give either `input` or `input_base64`, as a string".to_owned(),
        )),
    }
}

fn answer(id: &Value, effects: &[EffectOn], reversibility: Reversibility) -> String {
    let worst = effects
        .iter()
        .map(|on| on.effect)
        .max()
        .unwrap_or(Effect::Unknown);
    let effects: Vec<Value> = effects
        .iter()
        .map(|on| json!({"effect": on.effect.word(), "resource": on.resource.to_string(), "why": on.why}))
        .collect();
    let mut out = Map::new();
    out.insert("id".to_owned(), id.clone());
    out.insert("worst".to_owned(), worst.word().into());
    out.insert("effects".to_owned(), effects.into());
    out.insert("reversibility".to_owned(), reversibility.word().into());
    Value::Object(out).to_string()
}
