//~ E0277: EngineSeal: Default` is not satisfied
//~ E0277: LedgerSeal: Default` is not satisfied
// A seal that had a default could be made by somebody who can't even name it.
use tagout_core::ids::UpstreamName;
use tagout_core::permit::{Errand, ErrandPermit, Permit, Recorded};

fn forge(upstream: UpstreamName) -> ErrandPermit {
    ErrandPermit::mint(Default::default(), upstream, Errand::LookUp)
}

fn claim(permit: Permit) -> Recorded<Permit> {
    Recorded::new(Default::default(), permit, 0)
}

fn main() {
    let _ = (forge, claim);
}
