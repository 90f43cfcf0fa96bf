//! What the console's tests share: a desk over memory, the wire, and a person with a passkey.
#![allow(
    dead_code,
    reason = "each test binary uses its own part of what is shared"
)]

pub(crate) mod desk;
pub(crate) mod person;
pub(crate) mod samples;
pub(crate) mod wire;
