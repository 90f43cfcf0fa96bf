//~ E0308: mismatched types
//~ E0423: cannot initialize a tuple struct which contains private fields
// Nobody but the ledger can say that something was recorded or queued.
use tagout_core::permit::{Permit, QueuedRead, Recorded};

struct LedgerSeal;

fn recorded(permit: Permit) -> Recorded<Permit> {
    Recorded::new(LedgerSeal, permit, 0)
}

fn queued(permit: Permit) -> QueuedRead {
    QueuedRead::new(LedgerSeal, permit)
}

fn wrapped(permit: Permit) -> QueuedRead {
    QueuedRead(permit)
}

fn main() {
    let _ = (recorded, queued, wrapped);
}
