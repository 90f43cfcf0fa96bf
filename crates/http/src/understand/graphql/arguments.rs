//! Argument and variable values, coerced as the provider's server would (October 2021, sections 3.5
//! to 3.12 and 6.4.1), so that a rule sees one value for all ways to write it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Number, Value as Json};

use super::Misread;
use super::document::{OperationDefinition, Type, Value};
use crate::understand::pack::schema::{Schema, TypeDefinition};

/// The declared variables of an operation.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables {
    /// `None` for what was not given and has no default.
    values: BTreeMap<String, Option<Json>>,
    /// Names of those whose value is their default.
    by_default: BTreeSet<String>,
}

impl Variables {
    /// The coerced value, or `None` if there is none. A variable must be declared.
    pub(crate) fn get(&self, name: &str) -> Result<Option<&Json>, Misread> {
        let declared = self.values.get(name).map(Option::as_ref);
        declared.ok_or_else(|| Misread::UndeclaredVariable(name.to_owned()))
    }

    /// The same, without defaults: what the request brought along. Servers are known whose `@skip` and
    /// `@include` see nothing else.
    pub(crate) fn given(&self, name: &str) -> Result<Option<&Json>, Misread> {
        let value = self.get(name)?;
        Ok(value.filter(|_| !self.by_default.contains(name)))
    }

    /// Coerces what the request brought along for the variables that the operation declares.
    pub(crate) fn coerce(
        operation: &OperationDefinition,
        given: &Map<String, Json>,
        schema: &Schema,
    ) -> Result<Self, Misread> {
        let mut coerced = Self::default();
        for variable in &operation.variables {
            let ty = variable.ty.base();
            schema
                .input(ty)
                .ok_or_else(|| Misread::Misfit(ty.to_owned()))?;
            let value = match (given.get(&variable.name), &variable.default) {
                (Some(value), _) => Some(of_json(value, &variable.ty, schema)?),
                (None, Some(default)) => {
                    coerced.by_default.insert(variable.name.clone());
                    of_literal(default, &variable.ty, schema, &Self::default())?
                }
                (None, None) => missing(&variable.ty, &variable.name)?,
            };
            let name = variable.name.clone();
            if coerced.values.insert(name, value).is_some() {
                return Err(Misread::Twice);
            }
        }
        Ok(coerced)
    }
}

/// A value that was not given: fine where it may be missing.
fn missing(ty: &Type, name: &str) -> Result<Option<Json>, Misread> {
    match ty {
        Type::NonNull(_) => Err(Misread::Missing(name.to_owned())),
        _ => Ok(None),
    }
}

/// The arguments of a field whose parameters are known.
pub(crate) fn typed(
    written: &[(String, Value)],
    parameters: &BTreeMap<String, Type>,
    schema: &Schema,
    variables: &Variables,
) -> Result<Map<String, Json>, Misread> {
    if let Some((unknown, _)) = written
        .iter()
        .find(|(name, _)| !parameters.contains_key(name))
    {
        return Err(Misread::UnknownArgument(unknown.clone()));
    }
    members_of(written, parameters, schema, variables)
}

fn members_of(
    written: &[(String, Value)],
    parameters: &BTreeMap<String, Type>,
    schema: &Schema,
    variables: &Variables,
) -> Result<Map<String, Json>, Misread> {
    let mut out = Map::new();
    for (name, ty) in parameters {
        let literal = written.iter().find(|(given, _)| given == name);
        let value = match literal {
            Some((_, value)) => of_literal(value, ty, schema, variables)?,
            None => None,
        };
        match value {
            Some(value) => out.insert(name.clone(), value),
            None => missing(ty, name)?,
        };
    }
    Ok(out)
}

/// The arguments of a field whose parameters nobody told us: values as they are written.
pub(crate) fn untyped(
    written: &[(String, Value)],
    variables: &Variables,
) -> Result<Map<String, Json>, Misread> {
    let mut out = Map::new();
    for (name, value) in written {
        if let Some(value) = plain(value, variables)? {
            out.insert(name.clone(), value);
        }
    }
    Ok(out)
}

/// `None` stands for a variable without a value: as if the argument had not been written.
fn of_literal(
    value: &Value,
    ty: &Type,
    schema: &Schema,
    variables: &Variables,
) -> Result<Option<Json>, Misread> {
    if let Value::Variable(name) = value {
        return match variables.get(name)? {
            Some(value) => of_json(value, ty, schema).map(Some),
            None => missing(ty, name),
        };
    }
    let coerced = match (ty, value) {
        (Type::NonNull(_), Value::Null) => return Err(Misread::Misfit(ty.base().to_owned())),
        (Type::NonNull(inner), _) => return of_literal(value, inner, schema, variables),
        (_, Value::Null) => Json::Null,
        (Type::List(inner), Value::List(items)) => {
            let item = |item: &Value| {
                let item = of_literal(item, inner, schema, variables)?;
                Ok(item.unwrap_or(Json::Null))
            };
            Json::Array(items.iter().map(item).collect::<Result<_, _>>()?)
        }
        (Type::List(inner), _) => {
            let only = of_literal(value, inner, schema, variables)?;
            Json::Array(only.into_iter().collect())
        }
        (Type::Named(name), _) => of_named_literal(value, name, schema, variables)?,
    };
    Ok(Some(coerced))
}

fn of_named_literal(
    value: &Value,
    name: &str,
    schema: &Schema,
    variables: &Variables,
) -> Result<Json, Misread> {
    let misfit = || Misread::Misfit(name.to_owned());
    match (schema.input(name).ok_or_else(misfit)?, value) {
        (TypeDefinition::Input(fields), Value::Object(members)) => {
            typed(members, fields, schema, variables).map(Json::Object)
        }
        (TypeDefinition::Enum(words), Value::Enum(word)) if words.contains(word) => {
            Ok(Json::from(word.as_str()))
        }
        (TypeDefinition::Scalar, _) => match plain(value, variables)? {
            Some(json) if fits_literal(value, name) => scalar(&json, name),
            _ => Err(misfit()),
        },
        _ => Err(misfit()),
    }
}

/// Whether a literal of that sort may stand for a built-in scalar. Other scalars take any.
fn fits_literal(value: &Value, name: &str) -> bool {
    match name {
        "String" => matches!(value, Value::String(_)),
        "ID" => matches!(value, Value::String(_) | Value::Int(_)),
        "Int" => matches!(value, Value::Int(_)),
        "Float" => matches!(value, Value::Int(_) | Value::Float(_)),
        "Boolean" => matches!(value, Value::Boolean(_)),
        _ => true,
    }
}

fn of_json(value: &Json, ty: &Type, schema: &Schema) -> Result<Json, Misread> {
    match (ty, value) {
        (Type::NonNull(_), Json::Null) => Err(Misread::Misfit(ty.base().to_owned())),
        (Type::NonNull(inner), _) => of_json(value, inner, schema),
        (_, Json::Null) => Ok(Json::Null),
        (Type::List(inner), Json::Array(items)) => {
            let items = items.iter().map(|item| of_json(item, inner, schema));
            items.collect::<Result<_, _>>().map(Json::Array)
        }
        (Type::List(inner), _) => Ok(Json::Array(vec![of_json(value, inner, schema)?])),
        (Type::Named(name), _) => of_named_json(value, name, schema),
    }
}

fn of_named_json(value: &Json, name: &str, schema: &Schema) -> Result<Json, Misread> {
    let misfit = || Misread::Misfit(name.to_owned());
    match (schema.input(name).ok_or_else(misfit)?, value) {
        (TypeDefinition::Input(fields), Json::Object(members)) => object(members, fields, schema),
        (TypeDefinition::Enum(words), Json::String(word)) if words.contains(word) => {
            Ok(value.clone())
        }
        (TypeDefinition::Scalar, _) => scalar(value, name),
        _ => Err(misfit()),
    }
}

fn object(
    members: &Map<String, Json>,
    fields: &BTreeMap<String, Type>,
    schema: &Schema,
) -> Result<Json, Misread> {
    if let Some(unknown) = members.keys().find(|name| !fields.contains_key(*name)) {
        return Err(Misread::UnknownArgument(unknown.clone()));
    }
    let mut out = Map::new();
    for (name, ty) in fields {
        match members.get(name) {
            Some(value) => out.insert(name.clone(), of_json(value, ty, schema)?),
            None => missing(ty, name)?,
        };
    }
    Ok(Json::Object(out))
}

/// A scalar's value; `ID` takes whole numbers as well and makes strings of them.
fn scalar(value: &Json, name: &str) -> Result<Json, Misread> {
    let fits = match name {
        "String" => value.is_string(),
        "ID" => return id(value),
        "Int" => value
            .as_i64()
            .is_some_and(|number| i32::try_from(number).is_ok()),
        "Float" => return float(value),
        "Boolean" => value.is_boolean(),
        _ => true,
    };
    if fits {
        Ok(value.clone())
    } else {
        Err(Misread::Misfit(name.to_owned()))
    }
}

fn id(value: &Json) -> Result<Json, Misread> {
    match value {
        Json::String(_) => Ok(value.clone()),
        Json::Number(number) if number.is_i64() => Ok(Json::from(number.to_string())),
        _ => Err(Misread::Misfit("ID".to_owned())),
    }
}

/// One number has one spelling, whether or not it was written with a point.
fn float(value: &Json) -> Result<Json, Misread> {
    let number = value.as_f64().and_then(Number::from_f64);
    number
        .map(Json::Number)
        .ok_or_else(|| Misread::Misfit("Float".to_owned()))
}

/// The JSON that an untyped literal stands for; `None` for a variable without a value.
fn plain(value: &Value, variables: &Variables) -> Result<Option<Json>, Misread> {
    Ok(Some(match value {
        Value::Variable(name) => return Ok(variables.get(name)?.cloned()),
        Value::Int(text) => integer(text)?,
        Value::Float(text) => fraction(text)?,
        Value::String(text) | Value::Enum(text) => Json::from(text.as_str()),
        Value::Boolean(value) => Json::Bool(*value),
        Value::Null => Json::Null,
        Value::List(items) => {
            let item = |item: &Value| Ok(plain(item, variables)?.unwrap_or(Json::Null));
            Json::Array(items.iter().map(item).collect::<Result<_, _>>()?)
        }
        Value::Object(members) => Json::Object(untyped(members, variables)?),
    }))
}

fn integer(text: &str) -> Result<Json, Misread> {
    match text.parse::<i64>() {
        Ok(number) => Ok(Json::from(number)),
        Err(_) => fraction(text),
    }
}

fn fraction(text: &str) -> Result<Json, Misread> {
    let number = text.parse::<f64>().ok().and_then(Number::from_f64);
    number.map(Json::Number).ok_or(Misread::Syntax)
}
