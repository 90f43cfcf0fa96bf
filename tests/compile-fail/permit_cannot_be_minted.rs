//~ E0308: mismatched types
// Something of our own in the seal's place.
use tagout_core::digest::{BytesDigest, OperationDigest};
use tagout_core::ids::{OperationId, UpstreamName};
use tagout_core::permit::{Basis, Permit};

struct EngineSeal;

fn forge(id: OperationId, upstream: UpstreamName, op: OperationDigest, bytes: BytesDigest, basis: Basis) -> Permit {
    Permit::mint(EngineSeal, id, upstream, op, bytes, basis)
}

fn main() {
    let _ = forge;
}
