//~ E0599: no method named `clone` found for struct `Permit`
//~ E0277: the trait bound `Recorded<Permit>: Clone` is not satisfied
//~ E0277: the trait bound `QueuedRead: Clone` is not satisfied
//~ E0277: the trait bound `Clearance: Clone` is not satisfied
//~ E0277: the trait bound `ErrandPermit: Clone` is not satisfied
use tagout_core::permit::{Clearance, ErrandPermit, Permit, QueuedRead, Recorded};

fn twice(permit: Permit) -> (Permit, Permit) {
    (permit.clone(), permit)
}

fn cloned<T: Clone>() {}

fn main() {
    let _ = twice;
    cloned::<Recorded<Permit>>();
    cloned::<QueuedRead>();
    cloned::<Clearance>();
    cloned::<ErrandPermit>();
}
