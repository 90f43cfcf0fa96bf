//~ E0277: Permit: TryFrom<&
//~ E0277: the trait bound `Permit: Default` is not satisfied
//~ E0277: the trait bound `Permit: FromStr` is not satisfied
//~ E0277: the trait bound `Recorded<Permit>: Default` is not satisfied
// A permit is never parsed, never the default, never converted from something else.
use std::str::FromStr;

use tagout_core::permit::{Permit, Recorded};

fn converted<T: for<'a> TryFrom<&'a [u8]>>() {}
fn parsed<T: FromStr>() {}
fn default<T: Default>() {}

fn main() {
    converted::<Permit>();
    parsed::<Permit>();
    default::<Permit>();
    default::<Recorded<Permit>>();
}
