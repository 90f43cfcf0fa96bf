//! Values for arguments: mostly such that something happens, sometimes such that nothing should.

use serde_json::{Value, json};
use standin_railway::seed;

use super::dice::Dice;
use super::schema::{Input, Schema, Ty};

/// A value as it can be written in a document or in the variables.
#[derive(Clone, Debug)]
pub(crate) enum Literal {
    Plain(Value),
    Enum(String),
    Variable(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

impl Literal {
    /// As JSON. A variable within has no JSON form.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Enum(name) | Self::Variable(name) => json!(name),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), value.json()))
                .collect::<serde_json::Map<_, _>>()
                .into(),
        }
    }

    /// As GraphQL text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Plain(value) => plain_text(value),
            Self::Enum(name) => name.clone(),
            Self::Variable(name) => format!("${name}"),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(Self::text).collect();
                format!("[{}]", items.join(", "))
            }
            Self::Object(members) => {
                let member = |(name, value): &(String, Self)| format!("{name}: {}", value.text());
                let members: Vec<_> = members.iter().map(member).collect();
                format!("{{{}}}", members.join(", "))
            }
        }
    }
}

/// JSON as GraphQL text; an object whose member names are no names can't be written and stands as null.
fn plain_text(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(plain_text).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(members) if members.keys().all(|name| is_name(name)) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{name}: {}", plain_text(value)))
                .collect();
            format!("{{{}}}", members.join(", "))
        }
        Value::Object(_) => "null".to_owned(),
        leaf => leaf.to_string(),
    }
}

/// Whether a value can be written in a document at all.
pub(crate) fn is_writable(value: &Literal) -> bool {
    fn plain(value: &Value) -> bool {
        match value {
            Value::Array(items) => items.iter().all(plain),
            Value::Object(members) => {
                members.keys().all(|name| is_name(name)) && members.values().all(plain)
            }
            _ => true,
        }
    }
    match value {
        Literal::Plain(value) => plain(value),
        Literal::List(items) => items.iter().all(is_writable),
        Literal::Object(members) => members.iter().all(|(_, value)| is_writable(value)),
        Literal::Enum(_) | Literal::Variable(_) => true,
    }
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Things that belong together, so that a call that names several of them can succeed.
struct Place {
    project: &'static str,
    environment: &'static str,
    service: &'static str,
    volume: &'static str,
    instance: &'static str,
    backup: &'static str,
    deployment: &'static str,
}

const PLACES: [Place; 3] = [
    Place {
        project: seed::PROJECT,
        environment: seed::PRODUCTION,
        service: seed::API_SERVICE,
        volume: seed::POSTGRES_VOLUME,
        instance: seed::PRODUCTION_VOLUME_INSTANCE,
        backup: seed::PRODUCTION_BACKUPS[2],
        deployment: seed::PRODUCTION_DEPLOYMENT,
    },
    Place {
        project: seed::PROJECT,
        environment: seed::STAGING,
        service: seed::POSTGRES_SERVICE,
        volume: seed::POSTGRES_VOLUME,
        instance: seed::STAGING_VOLUME_INSTANCE,
        backup: seed::STAGING_BACKUP,
        deployment: seed::STAGING_DEPLOYMENT,
    },
    Place {
        project: seed::BLOG_PROJECT,
        environment: seed::BLOG_PRODUCTION,
        service: seed::BLOG_SERVICE,
        volume: seed::BLOG_VOLUME,
        instance: seed::BLOG_VOLUME_INSTANCE,
        backup: seed::PRODUCTION_BACKUPS[0],
        deployment: seed::STAGING_DEPLOYMENT,
    },
];

/// The values of one call.
pub(crate) struct Values<'s> {
    schema: &'s Schema,
    place: &'static Place,
    /// The root field that is called; its name says what its `id` is.
    call: String,
}

impl<'s> Values<'s> {
    pub(crate) fn new(schema: &'s Schema, call: &str, dice: &mut Dice) -> Self {
        Self {
            schema,
            place: dice.point(&PLACES),
            call: call.to_owned(),
        }
    }

    /// A value for `input`, or `None` if it is left out.
    pub(crate) fn of(&self, input: &Input, dice: &mut Dice) -> Option<Literal> {
        match &input.ty {
            Ty::NonNull(inner) => Some(self.typed(&input.name, inner, dice)),
            _ if dice.percent(50) => None,
            _ if dice.percent(15) => Some(Literal::Plain(Value::Null)),
            ty => Some(self.typed(&input.name, ty, dice)),
        }
    }

    fn typed(&self, name: &str, ty: &Ty, dice: &mut Dice) -> Literal {
        match ty {
            Ty::NonNull(inner) => self.typed(name, inner, dice),
            Ty::List(inner) => {
                let count = dice.pick(&[0, 0, 1, 1, 1, 2, 3]);
                Literal::List((0..count).map(|_| self.typed(name, inner, dice)).collect())
            }
            Ty::Named(base) => self.named(name, base, dice),
        }
    }

    fn named(&self, name: &str, base: &str, dice: &mut Dice) -> Literal {
        if let Some(words) = self.schema.enums.get(base) {
            return Literal::Enum(dice.point(words).clone());
        }
        if let Some(members) = self.schema.inputs.get(base) {
            let member = |input: &Input| {
                self.of(input, dice)
                    .map(|value| (input.name.clone(), value))
            };
            return Literal::Object(members.iter().filter_map(member).collect());
        }
        Literal::Plain(self.scalar(name, base, dice))
    }

    fn scalar(&self, name: &str, base: &str, dice: &mut Dice) -> Value {
        if dice.percent(1) {
            return dice
                .point(&[json!([]), json!({}), json!(7), json!(""), json!(true)])
                .clone();
        }
        match base {
            "Int" => dice.pick(&[0, 1, 2, 5, 100, -1, i32::MAX]).into(),
            "Float" => json!(1.5),
            "Boolean" => dice.percent(50).into(),
            "DateTime" => json!("2026-04-24T12:00:00.000Z"),
            "EnvironmentConfig" | "JSON" => self.patch(dice),
            "EnvironmentVariables" => dice
                .point(&[
                    json!({}),
                    json!({"PORT": "9090"}),
                    json!({"NEW": "x", "PORT": null}),
                ])
                .clone(),
            _ => self.word(name, dice),
        }
    }

    fn word(&self, name: &str, dice: &mut Dice) -> Value {
        let word = match name {
            _ if dice.percent(3) => "no-such-thing",
            "id" => self.id(&self.call, dice),
            _ if name.ends_with("Id") || name.ends_with("Ids") => self.id(name, dice),
            "name" => dice.pick(&["PORT", "DATABASE_URL", "renamed", "api"]),
            _ => dice.pick(&[
                "x",
                "",
                "/data",
                "new.booking-app.example",
                "mutation { volumeDelete }",
                "\"} #\\",
                "déjà\u{2028}vu",
            ]),
        };
        json!(word)
    }

    /// An id of the sort that a name speaks of.
    fn id(&self, name: &str, dice: &mut Dice) -> &'static str {
        let lower = name.to_ascii_lowercase();
        let place = self.place;
        let sorts = [
            ("backup", place.backup),
            ("volumeinstance", place.instance),
            ("volume", place.volume),
            ("environment", place.environment),
            ("servicedomain", seed::STAGING_SERVICE_DOMAIN),
            ("service", place.service),
            ("workspace", seed::WORKSPACE),
            ("projecttoken", "5a000000-0000-4000-8000-5e0000000001"),
            ("project", place.project),
            ("deployment", place.deployment),
            ("bucket", seed::BUCKET),
            ("customdomain", seed::CUSTOM_DOMAIN),
            ("sandbox", seed::SANDBOX),
            ("user", seed::USER),
        ];
        let named = sorts.iter().find(|(sort, _)| lower.contains(sort));
        match named {
            Some((_, id)) if dice.percent(95) => id,
            _ => dice.pick(&sorts).1,
        }
    }

    /// A change of an environment's configuration.
    fn patch(&self, dice: &mut Dice) -> Value {
        let (service, volume) = (self.place.service, self.place.volume);
        let changes = [
            json!({}),
            json!({"sharedVariables": {"LOG_LEVEL": {"value": "debug"}}}),
            json!({"sharedVariables": {"LOG_LEVEL": null}}),
            json!({"services": {service: {"variables": {"PORT": {"value": "1"}}}}}),
            json!({"services": {service: {"isDeleted": true}}}),
            json!({"services": {service: null}}),
            json!({"volumes": {volume: {"isDeleted": true}}}),
            json!({"volumes": {volume: {"sizeMB": 20_480}}}),
            json!({"volumes": {volume: null}}),
            json!({"buckets": {seed::BUCKET: {"isDeleted": true}}}),
            json!({"somethingElse": {}}),
        ];
        dice.point(&changes).clone()
    }
}
