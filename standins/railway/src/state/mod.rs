//! The provider's state and every operation on it.
//!
//! Operations are plain functions on `World`. They run on a copy that replaces the original only if
//! they succeed, so a refused operation leaves nothing behind.

mod canonical;
mod config;
mod delete_mode;
mod deployment;
mod environment;
mod handle;
mod model;
mod network;
mod operations;
mod patch;
mod project;
mod service;
mod token;
mod variable;
mod volume;
mod world;

#[cfg(test)]
mod tests;

pub use delete_mode::DeleteMode;
pub use handle::State;

pub(crate) use config::{config, config_etag};
pub(crate) use environment::staged_patch;
pub(crate) use model::*;
pub(crate) use operations::operation;
pub(crate) use token::display;
pub(crate) use variable::rendered;
pub(crate) use volume::schedule;
pub(crate) use world::{World, json, not_found, timestamp};
