//~ E0382: use of moved value: `clearance`
// Executing takes the clearance away: the same one can't send a second time.
use tagout_core::operation::Operation;
use tagout_core::permit::Clearance;
use tagout_core::pipeline::Adapter;

async fn twice<A: Adapter>(adapter: &A, clearance: Clearance, operation: &Operation) {
    let _ = adapter.execute(clearance, operation).await;
    let _ = adapter.execute(clearance, operation).await;
}

fn main() {}
