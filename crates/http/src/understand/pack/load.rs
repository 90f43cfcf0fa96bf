//! Loading packs, strictly: a rule that speaks of something the schema does not have is an error, and so
//! is a root field without a rule.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::cases;
use super::condition::Path;
use super::format::{CasesFile, GraphqlFile, PackFile, RoutesFile, SecretFile};
use super::rule::{OneOrMore, Rule};
use super::schema::{FieldDefinition, Schema};
use super::{Graphql, Pack, Root};
use crate::understand::rest::route::Route;

/// A pack's files: names such as `pack.toml`, and their texts.
#[derive(Clone, Debug)]
pub struct PackText {
    /// What the pack is called in messages; usually its folder's name.
    pub name: String,
    /// By file name.
    pub files: BTreeMap<String, String>,
}

/// Why a pack can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// A folder that can't be read.
    #[error("can't read the pack in `{folder}`: {why}")]
    Folder {
        /// The folder.
        folder: String,
        /// What the system says.
        why: String,
    },
    /// A file that packs do not have.
    #[error("pack `{pack}` has a file `{file}` that packs do not have; known are {known}", known = FILES.join(", "))]
    UnknownFile {
        /// The pack.
        pack: String,
        /// The file.
        file: String,
    },
    /// A file is missing.
    #[error("pack `{pack}` lacks its file `{file}`")]
    MissingFile {
        /// The pack.
        pack: String,
        /// The file.
        file: &'static str,
    },
    /// A file that can't be read.
    #[error("pack `{pack}`, `{file}`: {why}")]
    Malformed {
        /// The pack.
        pack: String,
        /// The file.
        file: String,
        /// What is wrong, with a suggestion where there is one.
        why: String,
    },
    /// The schema can't be read.
    #[error("pack `{pack}`: schema: {why}")]
    Schema {
        /// The pack.
        pack: String,
        /// What is wrong.
        why: String,
    },
    /// A rule and the schema disagree.
    #[error("pack `{pack}`, rule `{rule}`: {why}")]
    Rule {
        /// The pack.
        pack: String,
        /// The rule.
        rule: String,
        /// What is wrong.
        why: String,
    },
    /// A pack is named that is not there, or there twice.
    #[error("pack `{0}` is not there, or there twice; packs have distinct names")]
    Name(String),
}

/// The files of a pack.
const FILES: [&str; 7] = [
    "pack.toml",
    "schema.graphql",
    "queries.toml",
    "mutations.toml",
    "subscriptions.toml",
    "routes.toml",
    "cases.toml",
];

impl Pack {
    /// Reads and checks a pack.
    pub(crate) fn load(text: &PackText) -> Result<Self, PackError> {
        if let Some(file) = text
            .files
            .keys()
            .find(|file| !FILES.contains(&file.as_str()))
        {
            return Err(PackError::UnknownFile {
                pack: text.name.clone(),
                file: file.clone(),
            });
        }
        let head: PackFile = text.required("pack.toml")?;
        let routes: RoutesFile = text.optional("routes.toml")?;
        let cases: CasesFile = text.optional("cases.toml")?;
        let graphql = head
            .graphql
            .as_ref()
            .map(|file| graphql(text, file, &head.secret, &head.shape));
        let pack = Self {
            cases: cases::read(&head, cases).map_err(|why| text.malformed("cases.toml", why))?,
            graphql: graphql.transpose()?,
            routes: routes
                .route
                .into_iter()
                .map(Route::new)
                .collect::<Result<_, _>>()
                .map_err(|why| text.malformed("routes.toml", why))?,
            name: head.name,
            version: head.version,
            hosts: head.hosts,
            unmatched: head.rest.unmatched,
            shapes: head.shape,
        };
        Ok(pack)
    }
}

impl PackText {
    fn malformed(&self, file: &str, why: String) -> PackError {
        PackError::Malformed {
            pack: self.name.clone(),
            file: file.to_owned(),
            why,
        }
    }

    fn get(&self, file: &'static str) -> Result<&str, PackError> {
        let text = self.files.get(file).map(String::as_str);
        text.ok_or_else(|| PackError::MissingFile {
            pack: self.name.clone(),
            file,
        })
    }

    fn required<T: DeserializeOwned>(&self, file: &'static str) -> Result<T, PackError> {
        toml::from_str(self.get(file)?).map_err(|error| self.malformed(file, suggest(&error)))
    }

    fn optional<T: DeserializeOwned + Default>(&self, file: &'static str) -> Result<T, PackError> {
        if self.files.contains_key(file) {
            self.required(file)
        } else {
            Ok(T::default())
        }
    }
}

/// The error's text, and which of the known keys the unknown one looks like.
fn suggest(error: &toml::de::Error) -> String {
    let text = error.to_string();
    let message = error.message();
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = names.next().filter(|_| message.starts_with("unknown"));
    let nearest = unknown.and_then(|unknown| {
        let near = names.map(|known| (distance(unknown, known), known));
        near.min().filter(|(distance, _)| *distance <= 3)
    });
    match nearest {
        Some((_, known)) => format!("{}; did you mean `{known}`?", text.trim_end()),
        None => text.trim_end().to_owned(),
    }
}

/// Levenshtein distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (above, y) in row.iter_mut().skip(1).zip(&b) {
            let cost = (diagonal + usize::from(x != *y))
                .min(*above + 1)
                .min(left + 1);
            diagonal = *above;
            *above = cost;
            left = cost;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

type Rules = HashMap<String, Rule>;

fn graphql(
    text: &PackText,
    file: &GraphqlFile,
    secrets: &[SecretFile],
    shapes: &BTreeMap<String, Vec<Path>>,
) -> Result<Graphql, PackError> {
    let schema = Schema::parse(&text.name, text.get("schema.graphql")?)?;
    let root = |type_name: &str, rules: Rules| {
        check_root(text, &schema, type_name, &rules, shapes)?;
        Ok(Root {
            type_name: type_name.to_owned(),
            rules,
        })
    };
    let query = root(&file.query, text.required("queries.toml")?)?;
    let mutation = root(&file.mutation, text.required("mutations.toml")?)?;
    let subscription = root(&file.subscription, text.optional("subscriptions.toml")?)?;
    check_secrets(text, &schema, secrets)?;
    let mut by_field: HashMap<String, Vec<OneOrMore>> = HashMap::new();
    for secret in secrets {
        let conditions = by_field.entry(secret.field.clone()).or_default();
        conditions.push(secret.when.clone());
    }
    Ok(Graphql {
        paths: file.paths.clone(),
        secrets: by_field,
        schema,
        query,
        mutation,
        subscription,
        documents: Arc::default(),
    })
}

fn check_root(
    text: &PackText,
    schema: &Schema,
    type_name: &str,
    rules: &Rules,
    shapes: &BTreeMap<String, Vec<Path>>,
) -> Result<(), PackError> {
    let wrong = |rule: &str, why: String| PackError::Rule {
        pack: text.name.clone(),
        rule: rule.to_owned(),
        why,
    };
    let none = BTreeMap::new();
    let fields = schema.object(type_name).unwrap_or(&none);
    if let Some(name) = fields.keys().find(|name| !rules.contains_key(*name)) {
        return Err(wrong(name, format!("`{type_name}.{name}` has no rule")));
    }
    for (name, rule) in rules {
        let field = fields
            .get(name)
            .ok_or_else(|| wrong(name, format!("`{type_name}` has no such field")))?;
        check_rule(schema, field, rule, shapes).map_err(|why| wrong(name, why))?;
    }
    Ok(())
}

fn check_rule(
    schema: &Schema,
    field: &FieldDefinition,
    rule: &Rule,
    shapes: &BTreeMap<String, Vec<Path>>,
) -> Result<(), String> {
    for path in rule.paths() {
        schema.check_path(&field.parameters, path)?;
    }
    match &rule.shape {
        Some(shape) if !shapes.contains_key(&shape.is) => Err(format!(
            "there is no shape `{}`; write one in `pack.toml`",
            shape.is
        )),
        _ => Ok(()),
    }
}

fn check_secrets(
    text: &PackText,
    schema: &Schema,
    secrets: &[SecretFile],
) -> Result<(), PackError> {
    let exists = |field: &str| {
        let (ty, name) = field.split_once('.')?;
        schema.object(ty)?.get(name)
    };
    match secrets
        .iter()
        .find(|secret| exists(&secret.field).is_none())
    {
        Some(secret) => Err(PackError::Rule {
            pack: text.name.clone(),
            rule: secret.field.clone(),
            why: "the schema has no such field; write `Type.field`".to_owned(),
        }),
        None => Ok(()),
    }
}
