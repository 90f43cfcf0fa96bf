//! Plain HTTP interfaces: routes of packs first, then what the method says.

mod body;
pub(crate) mod route;

use serde_json::{Map, Value, json};
use tagout_core::digest::BytesDigest;
use tagout_core::effect::{Effect, EffectOn};
use tagout_core::operation::{PathStep, SecretPath};
use tagout_core::resource::Resource;

use super::ambiguous::Ambiguous;
use super::draft::{self, Draft};
use super::encoding;
use super::graphql;
use super::message::Message;
use super::pack::Pack;
use super::pack::format::Unmatched;
use super::pack::rule::Rule;
use body::Body;
use route::Route;

/// What a message means that is not GraphQL.
pub(crate) fn classify(packs: &[&Pack], message: &Message) -> Result<Draft, Ambiguous> {
    check_path(packs, message)?;
    if message.header("upgrade").is_some() {
        return Ok(upgrade(message));
    }
    if let Some((pack, route)) = upload(packs, message) {
        let effects = upload_effects(pack, route, message);
        let size_bytes = message.body.len() as u64;
        let draft = upload_draft(message, effects, size_bytes, BytesDigest::of(&message.body));
        return Ok(Draft {
            body: draft::raw_body(message),
            ..draft
        });
    }
    let body = Body::read(message)?;
    match understandable(message, &body) {
        Ok(parameters) => by_packs(packs, message, &parameters, &body),
        Err(why) => Ok(draft::not_understood(message, why)),
    }
}

/// The decoded parameters, unless something cannot be read at all.
fn understandable(message: &Message, body: &Body) -> Result<Vec<(String, String)>, &'static str> {
    match body {
        Body::Sealed(why) if !reads(&message.method) => Err(why),
        Body::Broken => Err("the body is not what its content type says"),
        _ => message
            .parameters()
            .ok_or("the parameters are not valid percent encoding"),
    }
}

fn by_packs(
    packs: &[&Pack],
    message: &Message,
    parameters: &[(String, String)],
    body: &Body,
) -> Result<Draft, Ambiguous> {
    let (effects, secrets) = match route_of(packs, message) {
        Some((pack, route, in_path)) => {
            let args = arguments(&route.rule, in_path, parameters, body)?;
            (by_route(pack, route, &args, body), secrets(route))
        }
        None => (by_method(packs, message, parameters, body), Vec::new()),
    };
    let raw = draft::raw(message, effects);
    Ok(match (body, body.written(message)) {
        (Body::Json(value), Some(written)) => Draft {
            shown: format!("{}\n{value}", raw.summary),
            canonical: json!({"http": [message.method, message.target(), value]}),
            body: Some(written),
            secrets,
            ..raw
        },
        _ => Draft { secrets, ..raw },
    })
}

/// After an upgrade the bytes are of another protocol.
fn upgrade(message: &Message) -> Draft {
    let why = "changes to another protocol, which is not read here";
    draft::raw(
        message,
        vec![EffectOn::new(Effect::Opaque, here(&message.path), why)],
    )
}

/// The declared upload route that a request's head matches, if any.
pub(crate) fn upload<'a>(packs: &[&'a Pack], message: &Message) -> Option<(&'a Pack, &'a Route)> {
    check_path(packs, message).ok()?;
    let (pack, route, _) = route_of(packs, message)?;
    route.upload.then_some((pack, route))
}

/// The effects of a declared upload, whose body is not looked into.
pub(crate) fn upload_effects(pack: &Pack, route: &Route, message: &Message) -> Vec<EffectOn> {
    let in_path =
        route::segments(&message.path).and_then(|path| route.matches(&message.method, &path));
    let parameters = message.parameters().unwrap_or_default();
    let args = arguments(
        &route.rule,
        in_path.unwrap_or_default(),
        &parameters,
        &Body::Empty,
    );
    match args {
        Ok(args) => by_route(pack, route, &args, &Body::Empty),
        Err(ambiguous) => vec![unknown(&ambiguous.to_string())],
    }
}

fn unknown(why: &str) -> EffectOn {
    EffectOn::new(Effect::Unknown, Resource::anything(), why)
}

fn reads(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS")
}

/// Refuses paths that servers normalise differently, if a route matches one of their readings. Where no
/// route looks at the path, the method alone says what is done.
fn check_path(packs: &[&Pack], message: &Message) -> Result<(), Ambiguous> {
    if route::has_dots(&message.path) {
        return Err(Ambiguous::Path("dot segments"));
    }
    let Some(why) = route::doubtful(&message.path) else {
        return Ok(());
    };
    let readings = route::readings(&message.path);
    let matches = |route: &Route| {
        let mut readings = readings.iter();
        readings.any(|path| route.matches(&message.method, path).is_some())
    };
    let mut routes = packs.iter().flat_map(|pack| &pack.routes);
    if routes.any(matches) {
        Err(Ambiguous::Path(why))
    } else {
        Ok(())
    }
}

/// A route with its pack and what its path parameters stand for.
type Matched<'a> = (&'a Pack, &'a Route, Vec<(String, String)>);

fn route_of<'a>(packs: &[&'a Pack], message: &Message) -> Option<Matched<'a>> {
    let path = route::segments(&message.path)?;
    packs.iter().find_map(|pack| {
        let mut routes = pack.routes.iter();
        routes.find_map(|route| Some((*pack, route, route.matches(&message.method, &path)?)))
    })
}

/// What a rule sees: path parameters at the top, and `query` and `body`. A parameter given twice is
/// ambiguous only for a rule that looks at such parameters.
fn arguments(
    rule: &Rule,
    in_path: Vec<(String, String)>,
    parameters: &[(String, String)],
    body: &Body,
) -> Result<Value, Ambiguous> {
    let mut args = Map::new();
    if rule.looks_at("query") {
        args.insert("query".to_owned(), body::members(parameters)?);
    }
    if rule.looks_at("body") {
        args.insert("body".to_owned(), body.value()?);
    }
    args.extend(
        in_path
            .into_iter()
            .map(|(name, text)| (name, Value::from(text))),
    );
    Ok(Value::Object(args))
}

/// What a route's rule says. A rule that looks at a body which can't be read says too little.
fn by_route(pack: &Pack, route: &Route, args: &Value, body: &Body) -> Vec<EffectOn> {
    let mut effects = graphql::judge::judge(pack, &route.rule, &route.path, args);
    if body.is_unseen() && route.rule.looks_at("body") {
        effects.push(unknown(
            "the rule looks at the body, which is not read here",
        ));
    }
    effects
}

fn secrets(route: &Route) -> Vec<SecretPath> {
    let field = |name: &String| PathStep::Field(name.clone());
    let members = route.secrets.iter();
    let members = members.map(|names| names.iter().map(field).chain([PathStep::All]).collect());
    let whole = route.rule.secret.then(|| vec![PathStep::All]);
    members.chain(whole).map(SecretPath).collect()
}

/// What the method says where no route does.
fn by_method(
    packs: &[&Pack],
    message: &Message,
    parameters: &[(String, String)],
    body: &Body,
) -> Vec<EffectOn> {
    let unmatched = packs
        .first()
        .map_or(Unmatched::Unknown, |pack| pack.unmatched);
    let here = here(&message.path);
    let method = message.method.as_str();
    match (unmatched, method) {
        (Unmatched::Unknown, _) => vec![unknown("the pack does not know this path")],
        _ if carries_requests(message, parameters, body) => {
            vec![unknown(
                "it carries other requests or a query, which no pack reads here",
            )]
        }
        (_, "GET" | "HEAD" | "OPTIONS") => {
            vec![EffectOn::new(Effect::Read, here, format!("{method} reads"))]
        }
        (Unmatched::ReadsOnly, _) => vec![unknown("the pack does not know this path")],
        (Unmatched::ByMethod, "DELETE") => {
            vec![EffectOn::new(
                Effect::Destroy,
                deleted(&message.path),
                "DELETE removes",
            )]
        }
        (Unmatched::ByMethod, "POST" | "PUT" | "PATCH") => {
            vec![EffectOn::new(
                Effect::Write,
                here,
                format!("{method} changes or adds"),
            )]
        }
        (Unmatched::ByMethod, _) => vec![unknown("the method is not one of the usual ones")],
    }
}

/// Envelopes of other calls, and GraphQL where no pack knows its fields.
fn carries_requests(message: &Message, parameters: &[(String, String)], body: &Body) -> bool {
    let kind = encoding::media_type(message);
    let envelopes = [
        "application/graphql",
        "application/http",
        "multipart/mixed",
        "multipart/batch",
    ];
    let in_form: &[(String, String)] = if let Body::Form(pairs) = body {
        pairs
    } else {
        &[]
    };
    let named = parameters
        .iter()
        .chain(in_form)
        .filter(|(name, _)| name == "query");
    let in_body: Vec<&Value> = match body {
        Body::Json(Value::Array(items)) => items.iter().collect(),
        Body::Json(value) => vec![value],
        _ => Vec::new(),
    };
    let queries = in_body
        .iter()
        .filter_map(|value| value.get("query").and_then(Value::as_str));
    let is_call = in_body.iter().any(|value| value.get("jsonrpc").is_some());
    is_call
        || (!reads(&message.method) && envelopes.contains(&kind.as_str()))
        || named
            .map(|(_, text)| text.as_str())
            .chain(queries)
            .any(|query| graphql::parse::parse(query).is_ok())
}

fn here(path: &str) -> Resource {
    match path.trim_end_matches('/') {
        "" => Resource::new("path", "/"),
        path => Resource::new("path", path),
    }
}

/// `DELETE /api/agents/7` removes `agents:7`; `DELETE /agents` removes all of them. What a doubtful path
/// removes is anyone's guess.
fn deleted(path: &str) -> Resource {
    if route::doubtful(path).is_some() {
        return Resource::anything();
    }
    let segments = route::segments(path).unwrap_or_default();
    match segments.as_slice() {
        [.., kind, id] if !kind.is_empty() && !id.is_empty() && !kind.contains(':') => {
            Resource::new(kind, id)
        }
        [only] if !only.is_empty() && !only.contains(':') => Resource::all(only),
        _ => Resource::anything(),
    }
}

/// What a declared upload means, given the size and hash of a body that nobody held in memory.
pub(crate) fn upload_draft(
    message: &Message,
    effects: Vec<EffectOn>,
    size_bytes: u64,
    hash: BytesDigest,
) -> Draft {
    let line = format!("{} {}", message.method, message.target());
    Draft {
        shown: format!("{line}\nbody: {size_bytes} bytes, {hash}"),
        canonical: json!({"upload": [message.method, message.target(), size_bytes, hash.to_string()]}),
        body: None,
        ..draft::raw(message, effects)
    }
}
