//! A provider's GraphQL types: the names and types of root fields, their arguments, input objects and
//! enums, and the fields of objects. No descriptions. Read from the schema definition language.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use apollo_parser::Parser;
use apollo_parser::cst::{self, CstNode as _};

use super::PackError;
use super::condition::Path;
use crate::understand::graphql::document::Type;
use crate::understand::graphql::parse;

/// The types of one provider.
#[derive(Clone, Debug, Default)]
pub(crate) struct Schema {
    types: HashMap<String, TypeDefinition>,
}

/// One named type.
#[derive(Clone, Debug)]
pub(crate) enum TypeDefinition {
    Object(BTreeMap<String, FieldDefinition>),
    Input(BTreeMap<String, Type>),
    Enum(BTreeSet<String>),
    Scalar,
}

/// A field of an object. Parameters are only told for the fields of the three root types.
#[derive(Clone, Debug)]
pub(crate) struct FieldDefinition {
    pub(crate) parameters: BTreeMap<String, Type>,
    pub(crate) ty: Type,
}

const BUILT_IN: [&str; 5] = ["String", "ID", "Int", "Float", "Boolean"];

impl Schema {
    /// Reads a schema definition.
    pub(crate) fn parse(pack: &str, source: &str) -> Result<Self, PackError> {
        let broken = |why: String| PackError::Schema {
            pack: pack.to_owned(),
            why,
        };
        let tree = Parser::new(source).parse();
        if let Some(error) = tree.errors().next() {
            return Err(broken(error.message().to_owned()));
        }
        let mut schema = Self::default();
        for name in BUILT_IN {
            schema.types.insert(name.to_owned(), TypeDefinition::Scalar);
        }
        for node in tree.document().definitions() {
            let (name, definition) = definition(&node)
                .ok_or_else(|| broken(format!("can't read {}", node.syntax().text())))?;
            if schema.types.insert(name.clone(), definition).is_some() {
                return Err(broken(format!("type `{name}` stands there twice")));
            }
        }
        schema.check_references().map_err(broken)?;
        Ok(schema)
    }

    /// Every type that is mentioned is defined.
    fn check_references(&self) -> Result<(), String> {
        let missing = self.types.values().flat_map(TypeDefinition::mentioned);
        match missing
            .map(Type::base)
            .find(|name| !self.types.contains_key(*name))
        {
            Some(name) => Err(format!("type `{name}` is not defined")),
            None => Ok(()),
        }
    }

    /// Checks that a rule's path can lead somewhere, as far as types tell.
    pub(crate) fn check_path(
        &self,
        parameters: &BTreeMap<String, Type>,
        path: &Path,
    ) -> Result<(), String> {
        let mut fields = Some(parameters);
        for name in path.names() {
            let Some(known) = fields else { return Ok(()) };
            let ty = known
                .get(name)
                .ok_or_else(|| format!("there is no argument `{name}`"))?;
            fields = match self.types.get(ty.base()) {
                Some(TypeDefinition::Input(inner)) => Some(inner),
                _ => None,
            };
        }
        Ok(())
    }

    /// The fields of an object type.
    pub(crate) fn object(&self, name: &str) -> Option<&BTreeMap<String, FieldDefinition>> {
        match self.types.get(name)? {
            TypeDefinition::Object(fields) => Some(fields),
            _ => None,
        }
    }

    /// A type that arguments may have.
    pub(crate) fn input(&self, name: &str) -> Option<&TypeDefinition> {
        match self.types.get(name)? {
            TypeDefinition::Object(_) => None,
            input => Some(input),
        }
    }
}

impl TypeDefinition {
    fn mentioned(&self) -> Vec<&Type> {
        match self {
            Self::Object(fields) => fields
                .values()
                .flat_map(|field| field.parameters.values().chain([&field.ty]))
                .collect(),
            Self::Input(fields) => fields.values().collect(),
            Self::Enum(_) | Self::Scalar => Vec::new(),
        }
    }
}

fn definition(node: &cst::Definition) -> Option<(String, TypeDefinition)> {
    let name = node.name()?.text().to_string();
    let definition = match node {
        cst::Definition::ScalarTypeDefinition(_) => TypeDefinition::Scalar,
        cst::Definition::ObjectTypeDefinition(node) => TypeDefinition::Object(
            node.fields_definition()?
                .field_definitions()
                .map(|field| object_field(&field))
                .collect::<Option<_>>()?,
        ),
        cst::Definition::InputObjectTypeDefinition(node) => TypeDefinition::Input(
            node.input_fields_definition()?
                .input_value_definitions()
                .map(|value| parameter(&value))
                .collect::<Option<_>>()?,
        ),
        cst::Definition::EnumTypeDefinition(node) => TypeDefinition::Enum(
            node.enum_values_definition()?
                .enum_value_definitions()
                .map(|value| Some(value.enum_value()?.name()?.text().to_string()))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    };
    Some((name, definition))
}

fn object_field(node: &cst::FieldDefinition) -> Option<(String, FieldDefinition)> {
    let parameters = node.arguments_definition();
    let parameters = parameters
        .iter()
        .flat_map(|list| list.input_value_definitions());
    let field = FieldDefinition {
        parameters: parameters
            .map(|value| parameter(&value))
            .collect::<Option<_>>()?,
        ty: parse::ty(node.ty()?).ok()?,
    };
    Some((node.name()?.text().to_string(), field))
}

fn parameter(node: &cst::InputValueDefinition) -> Option<(String, Type)> {
    Some((node.name()?.text().to_string(), parse::ty(node.ty()?).ok()?))
}
