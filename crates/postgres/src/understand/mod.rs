//! What SQL means by its own words, read with PostgreSQL's own grammar. Pure: no catalog, no session, no
//! clock; the same bytes always mean the same.
//!
//! It must never guess: what the grammar does not read is [`NotUnderstood`], a setting or a command that is
//! not listed is `unknown`, and a grammar that grows fails to compile ([`tree`], [`classify`]).

mod classify;
pub mod explain;
pub mod functions;
mod kinds;
mod name;
pub mod parse;
mod reader;
mod remembered;
pub mod settings;
pub mod statement;
mod tree;

pub use functions::{Vetted, vetted, vetted_operator};
pub use parse::NotUnderstood;
pub use reader::{Limits, Reader};
