//! Requests without end, and whether what was taken for a read changed anything.

pub(crate) mod carrier;
pub(crate) mod damage;
pub(crate) mod dice;
pub(crate) mod document;
pub(crate) mod hunt;
pub(crate) mod schema;
pub(crate) mod selection;
pub(crate) mod values;
pub(crate) mod wire;
