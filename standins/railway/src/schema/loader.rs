//! Builds the executable schema from the interface files.
//!
//! Every field gets one of three resolvers: a root field goes to the operations, an object field to
//! its relation or, if it has none, to the property of the same name.

use async_graphql::dynamic::{
    Enum, Field, InputObject, InputValue, Object, Scalar, Schema, SchemaBuilder, Subscription,
    SubscriptionField, TypeRef,
};
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, ObjectType, Type, TypeDefinition, TypeKind,
    TypeSystemDefinition,
};

use super::resolve::{self, Shape};
use crate::error::StandinError;
use crate::state::State;

const INTERFACE: &str = concat!(
    include_str!("roots.graphql"),
    include_str!("objects.graphql"),
    include_str!("connections.graphql"),
    include_str!("inputs.graphql"),
);

/// The schema over `state`.
pub(crate) fn build(state: &State) -> Result<Schema, StandinError> {
    let document = parse_schema(INTERFACE).map_err(|e| StandinError::Schema(e.to_string()))?;
    let mut builder = Schema::build("Query", Some("Mutation"), Some("Subscription"));
    for definition in &document.definitions {
        if let TypeSystemDefinition::Type(ty) = definition {
            builder = register(builder, &ty.node);
        }
    }
    let schema = builder.data(state.clone()).finish();
    schema.map_err(|e| StandinError::Schema(e.to_string()))
}

fn register(builder: SchemaBuilder, ty: &TypeDefinition) -> SchemaBuilder {
    let name = ty.name.node.to_string();
    match &ty.kind {
        TypeKind::Scalar => builder.register(Scalar::new(name)),
        TypeKind::Object(object) if name == "Subscription" => {
            builder.register(subscription(name, object))
        }
        TypeKind::Object(object) => builder.register(output(name, object)),
        TypeKind::Enum(values) => {
            let names = values.values.iter().map(|v| v.node.value.node.to_string());
            builder.register(names.fold(Enum::new(name), Enum::item))
        }
        TypeKind::InputObject(input) => {
            let fields = input.fields.iter().map(|f| argument(&f.node));
            builder.register(fields.fold(InputObject::new(name), InputObject::field))
        }
        TypeKind::Interface(_) | TypeKind::Union(_) => builder,
    }
}

fn output(name: String, object: &ObjectType) -> Object {
    let parent = name.clone();
    let fields = object.fields.iter().map(|f| field(&parent, &f.node));
    fields.fold(Object::new(name), Object::field)
}

fn field(parent: &str, definition: &FieldDefinition) -> Field {
    let name = definition.name.node.to_string();
    let ty = type_ref(&definition.ty.node);
    let shape = Shape::of(&ty);
    let field = match parent {
        "Query" | "Mutation" => {
            let mutates = parent == "Mutation";
            Field::new(name, ty, move |ctx| resolve::root(&ctx, mutates, shape))
        }
        _ => {
            let parent = parent.to_owned();
            Field::new(name, ty, move |ctx| resolve::property(&ctx, &parent, shape))
        }
    };
    let arguments = definition.arguments.iter().map(|a| argument(&a.node));
    arguments.fold(field, Field::argument)
}

fn subscription(name: String, object: &ObjectType) -> Subscription {
    let fields = object.fields.iter().map(|f| {
        let ty = type_ref(&f.node.ty.node);
        let field = SubscriptionField::new(f.node.name.node.to_string(), ty, resolve::stream);
        let arguments = f.node.arguments.iter().map(|a| argument(&a.node));
        arguments.fold(field, SubscriptionField::argument)
    });
    fields.fold(Subscription::new(name), Subscription::field)
}

fn argument(definition: &InputValueDefinition) -> InputValue {
    InputValue::new(
        definition.name.node.to_string(),
        type_ref(&definition.ty.node),
    )
}

fn type_ref(ty: &Type) -> TypeRef {
    let inner = match &ty.base {
        BaseType::Named(name) => TypeRef::named(name.to_string()),
        BaseType::List(item) => TypeRef::List(Box::new(type_ref(item))),
    };
    if ty.nullable {
        inner
    } else {
        TypeRef::NonNull(Box::new(inner))
    }
}
