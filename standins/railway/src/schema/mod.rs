//! The GraphQL interface: the provider's types, read from the `.graphql` files beside this module,
//! and the resolvers behind them.
//!
//! Resolvers only look at the world and call the operations in `crate::state`; they hold no state.

mod auth;
mod loader;
mod logs;

mod page;
mod query;
mod relation;
mod resolve;

pub(crate) use auth::{Caller, identify};
pub(crate) use loader::build;
pub(crate) use resolve::{Course, Via};
