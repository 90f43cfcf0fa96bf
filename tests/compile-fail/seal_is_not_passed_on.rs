//~ E0432: unresolved import `tagout_core::tagout_seal`
//~ E0432: unresolved import `tagout_core::permit::EngineSeal`
// Nobody above it passes a seal on.
use tagout_core::permit::EngineSeal;
use tagout_core::tagout_seal;

fn main() {}
