//~ E0451: of struct `Recorded` are private
use tagout_core::permit::{Permit, Recorded};

fn recorded(permit: Permit) -> Recorded<Permit> {
    Recorded { permit, leaf: 0 }
}

fn main() {
    let _ = recorded;
}
