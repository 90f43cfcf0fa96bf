//~ E0432: unresolved import `tagout_seal`
// The seals are in a crate that a protocol crate does not have.
use tagout_seal::EngineSeal;

fn main() {
    let _ = EngineSeal::new();
}
