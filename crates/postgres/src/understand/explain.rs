//! `tagout explain sql`: what statements would do, offline. What only a catalog could say is taken for the
//! worse: a function or an operator that is not the server's own is `opaque`.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tagout_core::effect::{Effect, Reversibility};
use tagout_core::resource::Resource;

use super::parse::NotUnderstood;
use super::reader::{Limits, Reader};
use super::statement::{Act, Flow, Object, Statement};
use super::{Vetted, vetted, vetted_operator};

/// What a text would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    /// Everything, in the order of the text, each once.
    pub effects: Vec<Act>,
}

impl Explained {
    /// The last effect that applies, of the order of [`Effect`].
    #[must_use]
    pub fn worst(&self) -> Effect {
        let effects = self.effects.iter().map(|act| act.effect);
        effects.max().unwrap_or(Effect::Read)
    }

    /// How the least reversible part can be taken back.
    #[must_use]
    pub fn reversibility(&self) -> Reversibility {
        let all = self.effects.iter().map(|act| act.reversibility);
        all.max().unwrap_or(Reversibility::Undoable)
    }

    fn unknown(why: &str) -> Self {
        let effects = vec![act(Effect::Unknown, Object::all("*"), why)];
        Self { effects }
    }

    fn answer(&self, id: &Value) -> String {
        let shown = |act: &Act| {
            json!({
                "effect": act.effect.word(),
                "resource": act.object.resource().to_string(),
                "why": act.why,
            })
        };
        let effects: Vec<Value> = self.effects.iter().map(shown).collect();
        let mut out = Map::new();
        out.insert("id".to_owned(), id.clone());
        out.insert("worst".to_owned(), self.worst().word().into());
        out.insert("effects".to_owned(), effects.into());
        out.insert(
            "reversibility".to_owned(),
            self.reversibility().word().into(),
        );
        Value::Object(out).to_string()
    }
}

/// Explains texts, with a reader of its own.
#[derive(Debug)]
pub struct Explainer {
    reader: Reader,
}

impl Explainer {
    /// An explainer.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start() -> std::io::Result<Self> {
        let reader = Reader::start(Limits::default())?;
        Ok(Self { reader })
    }

    /// What a text would do. What can't be read is `unknown`.
    #[must_use]
    pub fn explain(&self, sql: &[u8]) -> Explained {
        match self.reader.read_blocking(sql) {
            Ok(statements) => explained(&statements),
            // The parser's own message repeats the text.
            Err(NotUnderstood::Syntax(_)) => {
                Explained::unknown("PostgreSQL's grammar does not read it")
            }
            Err(error) => Explained::unknown(&error.to_string()),
        }
    }

    /// Answers one line of a batch: `{"id": …, "input": "…"}` or `{"id": …, "input_base64": "…"}`. What
    /// can't be read is answered with `unknown`, never left out.
    #[must_use]
    pub fn batch_line(&self, line: &str) -> String {
        match input(line) {
            Ok((id, sql)) => self.explain(&sql).answer(&id),
            Err((id, why)) => Explained::unknown(why).answer(&id),
        }
    }
}

impl Object {
    /// The resource that it is: `table:public.bookings`, `table:*` where it has no name.
    #[must_use]
    pub fn resource(&self) -> Resource {
        match &self.name {
            Some(name) => Resource::new(self.kind, name.to_string()),
            None => Resource::all(self.kind),
        }
    }
}

fn explained(statements: &[Statement]) -> Explained {
    let mut effects: Vec<Act> = Vec::new();
    let mut prepared: HashMap<&str, Vec<Act>> = HashMap::new();
    for statement in statements {
        for act in acts(statement, &mut prepared) {
            if !effects.contains(&act) {
                effects.push(act);
            }
        }
    }
    if effects.is_empty() {
        effects.push(act(
            Effect::Read,
            Object::all("row"),
            "has no statement in it",
        ));
    }
    Explained { effects }
}

/// What a statement does, with what its mentions may bring. `EXECUTE` does what was prepared earlier in the
/// same text, if anything was.
fn acts<'a>(statement: &'a Statement, prepared: &mut HashMap<&'a str, Vec<Act>>) -> Vec<Act> {
    match &statement.flow {
        Flow::Prepare { name, inner } => {
            let all = with_mentions(inner);
            prepared.insert(name, all.clone());
            all
        }
        Flow::Execute(name) => {
            let mut all = with_mentions(statement);
            if let Some(known) = prepared.get(name.as_str()) {
                all.retain(|act| act.object.kind != "prepared_statement");
                all.extend(known.iter().cloned());
            }
            all
        }
        _ => with_mentions(statement),
    }
}

fn with_mentions(statement: &Statement) -> Vec<Act> {
    let mut all = statement.acts.clone();
    let mentions = &statement.mentions;
    for call in &mentions.calls {
        if vetted(&call.name) == Vetted::Unknown && !is_told(&all, &call.name) {
            let function = Object::new("function", call.name.clone());
            let why = "calls a function that only the catalog could tell about";
            all.push(act(Effect::Opaque, function, why));
        }
    }
    for operator in &mentions.operators {
        if !vetted_operator(operator) {
            let object = Object::new("operator", operator.clone());
            let why = "uses an operator that only the catalog could tell about";
            all.push(act(Effect::Opaque, object, why));
        }
    }
    all
}

/// Whether the statement's own words say that it runs or makes the function: `CALL`.
fn is_told(acts: &[Act], name: &super::statement::Name) -> bool {
    acts.iter()
        .any(|act| act.object.kind == "function" && act.object.name.as_ref() == Some(name))
}

fn act(effect: Effect, object: Object, why: &str) -> Act {
    let reversibility = match effect {
        Effect::Read => Reversibility::Undoable,
        _ => Reversibility::Unknown,
    };
    Act {
        effect,
        object,
        why: why.to_owned(),
        reversibility,
        marks: Vec::new(),
        cascade: false,
    }
}

/// The id and the text of a line; an error has the id, as far as there is one, and the reason.
fn input(line: &str) -> Result<(Value, Vec<u8>), (Value, &'static str)> {
    let value: Value =
        serde_json::from_str(line).map_err(|_| (Value::Null, "the line is not JSON"))?;
    let id = value.get("id").cloned().unwrap_or(Value::Null);
    match (value.get("input"), value.get("input_base64")) {
        (Some(Value::String(text)), None) => Ok((id, text.clone().into_bytes())),
        (None, Some(Value::String(text))) => match STANDARD.decode(text) {
            Ok(bytes) => Ok((id, bytes)),
            Err(_) => Err((id, "`input_base64` is not base64")),
        },
        _ => Err((id, "give either `input` or `input_base64`, as a string")),
    }
}
