//~ E0308: mismatched types
// A permit alone does not execute: it has to be recorded first.
use tagout_core::operation::Operation;
use tagout_core::permit::Permit;
use tagout_core::pipeline::Adapter;

async fn unrecorded<A: Adapter>(adapter: &A, permit: Permit, operation: &Operation) {
    let _ = adapter.execute(permit, operation).await;
}

fn main() {}
