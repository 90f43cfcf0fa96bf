//! What SQL means by its own words, read with PostgreSQL's own grammar. Pure: no catalog, no session, no
//! clock; the same bytes always mean the same.

pub mod statement;
