//~ E0451: of struct `Permit` are private
use tagout_core::digest::{BytesDigest, OperationDigest};
use tagout_core::ids::{OperationId, UpstreamName};
use tagout_core::permit::{Basis, Permit};

fn forge(
    operation_id: OperationId,
    upstream: UpstreamName,
    operation: OperationDigest,
    bytes: BytesDigest,
    basis: Basis,
) -> Permit {
    Permit { operation_id, upstream, operation, bytes, basis }
}

fn main() {
    let _ = forge;
}
