//! Glue between the GraphQL engine and the world: every field ends here.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_graphql::dynamic::{
    FieldFuture, FieldValue, ResolverContext, SubscriptionFieldFuture, TypeRef,
};
use async_graphql::{Error, Value as GraphqlValue};
use futures_util::stream;
use serde_json::{Map, Value};

use super::{Caller, auth, logs, query, relation};
use crate::args::Args;
use crate::error::Refusal;
use crate::record::{Kind, Record};
use crate::state::{State, World, operation};

/// How the request came in, for the request log: `HTTP/1.1`, `HTTP/2.0` or `websocket`.
#[derive(Clone)]
pub(crate) struct Via(pub(crate) String);

/// What became of one request while it ran.
#[derive(Clone, Default)]
pub(crate) struct Course(Arc<CourseState>);

#[derive(Default)]
struct CourseState {
    ran: AtomicBool,
    claims_delay: AtomicBool,
}

impl Course {
    /// Whether any root field was reached.
    pub(crate) fn ran(&self) -> bool {
        self.0.ran.load(Ordering::Acquire)
    }

    /// Whether the answer is to say that a delete is delayed.
    pub(crate) fn claims_delay(&self) -> bool {
        self.0.claims_delay.load(Ordering::Acquire)
    }
}

/// Whether a field's innermost type is an object (resolved further) or a leaf.
#[derive(Clone, Copy)]
pub(crate) enum Shape {
    Leaf,
    Object,
}

impl Shape {
    const LEAVES: [&'static str; 10] = [
        "String",
        "Int",
        "Float",
        "Boolean",
        "ID",
        "DateTime",
        "JSON",
        "EnvironmentConfig",
        "EnvironmentVariables",
        "DeploymentMeta",
    ];

    /// Enums count as objects here; what they resolve to is a string, which `wrap` tells apart.
    pub(crate) fn of(ty: &TypeRef) -> Self {
        if Self::LEAVES.contains(&ty.type_name()) {
            Self::Leaf
        } else {
            Self::Object
        }
    }

    fn wrap(self, value: Value) -> Result<Option<FieldValue<'static>>, Error> {
        Ok(match (self, value) {
            (_, Value::Null) => None,
            (Self::Object, Value::Array(items)) => {
                let items = items.into_iter().map(|item| self.wrap(item));
                let items: Vec<_> = items.collect::<Result<_, _>>()?;
                Some(FieldValue::list(
                    items.into_iter().map(|v| v.unwrap_or(FieldValue::NULL)),
                ))
            }
            (Self::Object, value @ Value::Object(_)) => Some(FieldValue::owned_any(value)),
            (_, value) => Some(FieldValue::value(GraphqlValue::from_json(value)?)),
        })
    }
}

/// Resolves a field of `Query` or `Mutation` and records it.
pub(crate) fn root<'a>(ctx: &ResolverContext<'a>, mutates: bool, shape: Shape) -> FieldFuture<'a> {
    let answer = run_root(ctx, mutates).and_then(|value| shape.wrap(value));
    FieldFuture::new(async move { answer })
}

fn run_root(ctx: &ResolverContext<'_>, mutates: bool) -> Result<Value, Error> {
    let state = ctx.data::<State>()?;
    let caller = ctx.data::<Caller>()?;
    let arguments = arguments(ctx)?;
    let args = Args::new(&arguments);
    let name = ctx.field().name().to_owned();
    if let Ok(course) = ctx.data::<Course>() {
        course.0.ran.store(true, Ordering::Release);
    }
    let note = |kind, changed, error: Option<&Refusal>| {
        record(ctx, kind, &name, arguments.clone(), changed, error)
    };
    let answer = if mutates {
        let operation = |world: &mut World| {
            auth::check(world, caller, &name, args)?;
            run(world, &name, args)
        };
        state.transact(operation, |changed, error| {
            note(Kind::Mutation, changed, error)
        })
    } else {
        let world = state.world();
        let answer = auth::check(&world, caller, &name, args)
            .and_then(|()| query::answer(&world, caller, &name, args));
        state.record(note(Kind::Query, false, answer.as_ref().err()));
        answer
    };
    if answer.is_ok() && mutates {
        claim(ctx, state, &name);
    }
    Ok(answer?)
}

fn run(world: &mut World, name: &str, args: Args<'_>) -> Result<Value, Refusal> {
    let known = operation(name);
    let operation = known.ok_or_else(|| Refusal::invalid(format!("`{name}` is not served")))?;
    operation(world, args)
}

/// In the two soft modes the server says that a volume delete is delayed, truly or not.
fn claim(ctx: &ResolverContext<'_>, state: &State, name: &str) {
    if name == "volumeDelete"
        && state.delete_mode().claims_delay()
        && let Ok(course) = ctx.data::<Course>()
    {
        course.0.claims_delay.store(true, Ordering::Release);
    }
}

/// Resolves a field of any other object.
pub(crate) fn property<'a>(
    ctx: &ResolverContext<'a>,
    parent_type: &str,
    shape: Shape,
) -> FieldFuture<'a> {
    let answer = run_property(ctx, parent_type).and_then(|value| shape.wrap(value));
    FieldFuture::new(async move { answer })
}

fn run_property(ctx: &ResolverContext<'_>, parent_type: &str) -> Result<Value, Error> {
    let state = ctx.data::<State>()?;
    let parent = ctx.parent_value.try_downcast_ref::<Value>()?;
    let name = ctx.field().name();
    if let Some(stored) = parent.get(name) {
        return Ok(stored.clone());
    }
    let arguments = arguments(ctx)?;
    let args = Args::new(&arguments);
    let related = relation::resolve(&state.world(), parent_type, name, parent, args);
    Ok(related.unwrap_or(Value::Null))
}

/// Resolves a subscription: the lines there are, one a message, then the end.
pub(crate) fn stream(ctx: ResolverContext<'_>) -> SubscriptionFieldFuture<'_> {
    SubscriptionFieldFuture::new(async move {
        let batches = run_stream(&ctx)?;
        Ok(stream::iter(batches.into_iter().map(|line| {
            let batch = Shape::Object.wrap(Value::Array(vec![line]))?;
            Ok::<_, Error>(batch.unwrap_or(FieldValue::NULL))
        })))
    })
}

fn run_stream(ctx: &ResolverContext<'_>) -> Result<Vec<Value>, Error> {
    let state = ctx.data::<State>()?;
    let caller = ctx.data::<Caller>()?;
    let arguments = arguments(ctx)?;
    let args = Args::new(&arguments);
    let name = ctx.field().name().to_owned();
    let world = state.world();
    let answer =
        auth::check(&world, caller, &name, args).and_then(|()| logs::lines(&world, &name, args));
    let error = answer.as_ref().err();
    state.record(record(
        ctx,
        Kind::Subscription,
        &name,
        arguments.clone(),
        false,
        error,
    ));
    Ok(answer?)
}

fn arguments(ctx: &ResolverContext<'_>) -> Result<Map<String, Value>, Error> {
    let entries = ctx.args.iter().map(|(name, value)| {
        let json = value.as_value().clone().into_json()?;
        Ok((name.to_string(), json))
    });
    entries.collect()
}

fn record(
    ctx: &ResolverContext<'_>,
    kind: Kind,
    field: &str,
    args: Map<String, Value>,
    changed: bool,
    error: Option<&Refusal>,
) -> Record {
    Record {
        kind,
        field: field.to_owned(),
        args: Value::Object(args),
        changed,
        error: error.map(ToString::to_string),
        caller: ctx.data::<Caller>().ok().map(|caller| caller.name.clone()),
        via: ctx
            .data::<Via>()
            .map(|via| via.0.clone())
            .unwrap_or_default(),
        ..Record::default()
    }
}
