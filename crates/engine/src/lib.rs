//! The life of an operation, and everything that people do about it.
//!
//! The engine decides nothing by itself: policy decides, people decide; it sees to it that nothing
//! happens without them, nothing without a record, and nothing twice. It must never interpret a
//! protocol's bytes, and never hand out a credential.

mod attempt;
mod authority;
mod begin;
mod card;
mod carry;
mod ceremony;
mod challenge;
mod check;
mod chosen;
mod desk;
mod due;
mod ending;
mod engine;
mod error;
mod faults;
mod finish;
mod gate;
mod holding;
mod judge;
mod lane;
mod leaf;
mod mark;
mod narrow;
mod notice;
mod orphans;
mod purses;
mod quota;
mod random;
mod rate;
mod receipts;
mod record;
mod secret_key;
mod session;
mod settings;
mod signatures;
mod steady;
mod stop;
mod surface;
mod token;
mod vault;

pub use crate::{
    engine::{Engine, Parts},
    error::EngineError,
    faults::{FaultPoint, Faults},
    lane::Lane,
    mark::kept_checkpoint,
    narrow::NarrowGrant,
    notice::{Notice, Notify, Silent},
    quota::OperatorErrands,
    rate::Rate,
    secret_key::{DerivedKey, InstallationKey, KeyUse},
    settings::Settings,
    vault::{EngineVault, read_reference, seal, sealed_name, unseal},
};
