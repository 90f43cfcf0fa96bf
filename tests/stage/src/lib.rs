//! A stage for plays with real parts: a stand-in upstream, the real gateway as a process of its own, a
//! person with a software passkey, and an agent with curl. The black-box tests and the demo share it.
//!
//! Nothing here goes behind the gateway's back: people act through the console's ceremonies, agents
//! through their listeners, operators through the command line.

mod agent;
mod app;
mod gateway;
mod namespace;
mod operator;
mod person;
mod postgres;
mod said;
mod upstream;
mod web;

pub use crate::{
    agent::{Agent, Heard, Proxy, Transcript},
    app::{App, Received},
    gateway::{Gateway, Setting},
    namespace::Namespace,
    person::Person,
    postgres::{Postgres, PostgresConfig},
    upstream::Railway,
    web::{Page, Web},
};
