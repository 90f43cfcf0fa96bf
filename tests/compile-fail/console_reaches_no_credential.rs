//~ E0599: no method named `authorize` found for reference `&dyn Desk`
//~ E0599: no method named `scrub` found for reference `&dyn Desk`
//~ E0599: no method named `submit` found for reference `&dyn Desk`
//~ E0277: the trait bound `&dyn Desk: Vault` is not satisfied
// The console has a `Desk`, and a desk is no vault.
use tagout_core::desk::Desk;
use tagout_core::pipeline::Vault;

fn take(_vault: impl Vault) {}

fn rummage(desk: &dyn Desk) {
    let _ = desk.authorize();
    let _ = desk.scrub();
    let _ = desk.submit();
    take(desk);
}

fn main() {
    let _ = rummage;
}
