//! One GraphQL request, judged root field by root field.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};
use tagout_core::effect::{Effect, EffectOn};
use tagout_core::operation::{PathStep, SecretPath};
use tagout_core::resource::Resource;

use super::arguments::{self, Variables};
use super::document::{Definition, Document, Field, OperationDefinition, OperationKind, Selection};
use super::documents::Parsed;
use super::request::Request;
use super::select::{self, Asked, Expander, Fragments};
use super::walk::{Tree, Walk};
use super::{Misread, print};
use crate::understand::pack::rule::Rule;
use crate::understand::pack::{Graphql, Pack};
use crate::understand::shape;

/// Root fields that one request may ask for.
const MAX_ROOT_FIELDS: usize = 1000;

/// What one request means.
#[derive(Clone, Debug)]
pub(crate) struct Judged {
    /// The body that is sent for it.
    pub(crate) body: Json,
    /// One line for each root field.
    pub(crate) calls: Vec<String>,
    pub(crate) canonical: Json,
    pub(crate) effects: Vec<EffectOn>,
    pub(crate) secrets: Vec<SecretPath>,
}

/// Judges a request. An error means that not even its root fields could be told; what is wrong with one
/// field only makes that field's effect unknown.
pub(crate) fn request(pack: &Pack, request: &Request) -> Result<Judged, Misread> {
    let graphql = pack.graphql.as_ref().ok_or(Misread::NoQuery)?;
    let parsed = graphql.documents.parse(&request.query)?;
    let document: &Document = &parsed;
    select::check_definitions(document)?;
    let operation = select::operation(document, request.operation_name.as_deref())?;
    let fragments = select::fragments(document)?;
    let variables = Variables::coerce(operation, &request.variables, &graphql.schema)?;
    let mut expander = Expander::new(&fragments, &variables);
    let root = graphql.root(operation.kind);
    let asked = expander.root_fields(&operation.selections, &root.type_name)?;
    if asked.len() > MAX_ROOT_FIELDS {
        return Err(Misread::TooMuch);
    }
    let mut judge = Judge {
        pack,
        graphql,
        kind: operation.kind,
        expander,
    };
    let mut fields: Vec<JudgedField> = asked.iter().map(|asked| judge.field(asked)).collect();
    Ok(Judged {
        body: body(&parsed, operation, &fragments, &request.variables),
        calls: fields
            .iter()
            .map(|field| format!("{} {}", operation.kind.word(), field.call))
            .collect(),
        canonical: canonical(operation.kind, &mut fields),
        secrets: fields
            .iter()
            .flat_map(|field| field.secrets.iter().cloned())
            .collect(),
        effects: effects(fields),
    })
}

/// Takes the canonical form of each field; `json!` would copy it.
fn canonical(kind: OperationKind, fields: &mut [JudgedField]) -> Json {
    let fields = fields.iter_mut().map(|field| field.canonical.take());
    object([
        ("kind", Json::from(kind.word())),
        ("fields", fields.collect()),
    ])
}

/// An object of members that are moved into it.
pub(crate) fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    let members = members.map(|(name, value)| (name.to_owned(), value));
    Json::Object(members.into_iter().collect())
}

/// All effects; a request whose every field is skipped observes nothing.
fn effects(fields: Vec<JudgedField>) -> Vec<EffectOn> {
    let mut effects: Vec<_> = fields.into_iter().flat_map(|field| field.effects).collect();
    if effects.is_empty() {
        effects.push(EffectOn::new(
            Effect::Read,
            Resource::all("schema"),
            "asks for nothing",
        ));
    }
    effects
}

struct JudgedField {
    call: String,
    canonical: Json,
    effects: Vec<EffectOn>,
    secrets: Vec<SecretPath>,
}

struct Judge<'p, 'a> {
    pack: &'p Pack,
    graphql: &'p Graphql,
    kind: OperationKind,
    expander: Expander<'a>,
}

impl<'a> Judge<'_, 'a> {
    fn field(&mut self, asked: &Asked<'a>) -> JudgedField {
        let name = asked.first.name.as_str();
        if matches!(name, "__schema" | "__type" | "__typename") {
            return introspection(name);
        }
        match self.known(asked) {
            Ok(field) => field,
            Err(misread) => unknown(asked.first, &misread),
        }
    }

    fn known(&mut self, asked: &Asked<'a>) -> Result<JudgedField, Misread> {
        let name = asked.first.name.as_str();
        let root = self.graphql.root(self.kind);
        let missing = || Misread::UnknownField(name.to_owned());
        let field = self
            .graphql
            .schema
            .object(&root.type_name)
            .and_then(|fields| fields.get(name));
        let (field, rule) = field.zip(root.rules.get(name)).ok_or_else(missing)?;
        let written = &asked.first.arguments;
        let schema = &self.graphql.schema;
        let args = arguments::typed(
            written,
            &field.parameters,
            schema,
            self.expander.variables(),
        )?;
        let (tree, secrets) = self.walk(asked, field.ty.base(), rule.secret)?;
        let call = call_text(name, &args);
        let args = Json::Object(args);
        let mut effects = judge(self.pack, rule, name, &args);
        add_secret_read(&mut effects, !secrets.is_empty(), name);
        Ok(JudgedField {
            call,
            canonical: object([
                ("name", Json::from(name)),
                ("args", args),
                ("asks", tree.json()),
            ]),
            effects,
            secrets,
        })
    }

    fn walk(
        &mut self,
        asked: &Asked<'a>,
        ty: &str,
        secret: bool,
    ) -> Result<(Tree, Vec<SecretPath>), Misread> {
        let path = ["data", asked.key].map(|name| PathStep::Field(name.to_owned()));
        let mut walk = Walk {
            graphql: self.graphql,
            expander: &mut self.expander,
            path: path.to_vec(),
            secrets: Vec::new(),
        };
        if secret {
            walk.mark();
        }
        let below: Vec<&'a [Selection]> = asked.below.clone();
        let tree = walk.below(&below, ty)?;
        Ok((tree, walk.secrets))
    }
}

/// The effects of a call by its rule, and of what in it is not understood.
pub(crate) fn judge(pack: &Pack, rule: &Rule, name: &str, args: &Json) -> Vec<EffectOn> {
    let mut effects = rule.judge(name, args);
    if let Some(at) = &rule.shape
        && let Some(place) = shape::stranger(pack, at, args)
    {
        let why = format!("{name}: the pack does not know `{place}`");
        let like = effects.first().cloned();
        let unknown = EffectOn::new(Effect::Unknown, Resource::anything(), why);
        effects.push(EffectOn {
            reach: like.map_or(unknown.reach.clone(), |like| like.reach),
            ..unknown
        });
    }
    effects
}

/// An answer with secrets in it is a secret read, whatever else the call does.
fn add_secret_read(effects: &mut Vec<EffectOn>, has_secrets: bool, name: &str) {
    if !has_secrets || effects.iter().any(|on| on.effect == Effect::SecretRead) {
        return;
    }
    let Some(first) = effects.first() else { return };
    let read = EffectOn::new(
        Effect::SecretRead,
        first.resource.clone(),
        format!("{name}: the answer holds a secret"),
    );
    let read = EffectOn {
        reach: first.reach.clone(),
        ..read
    };
    match effects.first_mut() {
        Some(first) if first.effect == Effect::Read => *first = read,
        _ => effects.push(read),
    }
}

fn introspection(name: &str) -> JudgedField {
    JudgedField {
        call: name.to_owned(),
        canonical: json!({"name": name}),
        effects: vec![EffectOn::new(
            Effect::Read,
            Resource::all("schema"),
            format!("{name}: the types themselves"),
        )],
        secrets: Vec::new(),
    }
}

fn unknown(field: &Field, misread: &Misread) -> JudgedField {
    let written: Vec<String> = field
        .arguments
        .iter()
        .map(|(name, value)| format!("{name}: {}", print::value_text(value)))
        .collect();
    let call = format!("{}({})", field.name, written.join(", "));
    JudgedField {
        canonical: json!({"name": field.name, "text": call}),
        call,
        effects: vec![EffectOn::new(
            Effect::Unknown,
            Resource::anything(),
            format!("{}: {misread}", field.name),
        )],
        secrets: Vec::new(),
    }
}

/// A call as people read it: `volumeDelete(volumeId: "3d2c…")`.
fn call_text(name: &str, args: &Map<String, Json>) -> String {
    if args.is_empty() {
        return name.to_owned();
    }
    let written: Vec<String> = args
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    format!("{name}({})", written.join(", "))
}

/// The body that is sent: the operation that runs, the fragments it reaches, the variables it declares.
fn body(
    parsed: &Parsed,
    operation: &OperationDefinition,
    fragments: &Fragments<'_>,
    given: &Map<String, Json>,
) -> Json {
    let text = parsed.printed(|| text(parsed, operation, fragments));
    let declared = operation.variables.iter();
    let variables: Map<String, Json> = declared
        .filter_map(|variable| Some((variable.name.clone(), given.get(&variable.name)?.clone())))
        .collect();
    let mut body = Map::new();
    body.insert("query".to_owned(), Json::from(text));
    if let Some(name) = &operation.name {
        body.insert("operationName".to_owned(), Json::from(name.as_str()));
    }
    if !variables.is_empty() {
        body.insert("variables".to_owned(), Json::Object(variables));
    }
    Json::Object(body)
}

fn text(document: &Document, operation: &OperationDefinition, fragments: &Fragments<'_>) -> String {
    let mut reached = BTreeSet::new();
    reach(&operation.selections, fragments, &mut reached);
    let definitions = document.definitions.iter();
    print::text(definitions.filter(|definition| match definition {
        Definition::Operation(other) => std::ptr::eq(other, operation),
        Definition::Fragment(fragment) => reached.contains(fragment.name.as_str()),
    }))
}

/// Every fragment that these selections can reach.
fn reach<'a>(
    selections: &'a [Selection],
    fragments: &Fragments<'a>,
    reached: &mut BTreeSet<&'a str>,
) {
    let mut left: Vec<&'a [Selection]> = vec![selections];
    while let Some(selections) = left.pop() {
        for selection in selections {
            match selection {
                Selection::Field(field) => left.push(&field.selections),
                Selection::Inline { selections, .. } => left.push(selections),
                Selection::Spread { name, .. } => {
                    if let Some(fragment) = fragments.get(name.as_str())
                        && reached.insert(&fragment.name)
                    {
                        left.push(&fragment.selections);
                    }
                }
            }
        }
    }
}
