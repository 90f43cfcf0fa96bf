//~ E0277: the trait bound `&dyn Pipeline<()>: Desk` is not satisfied
//~ E0599: no method named `finish` found for reference `&dyn Pipeline<()>`
// What agents reach is the pipeline; deciding is on the desk, and the one is not the other.
use tagout_core::desk::Desk;
use tagout_core::pipeline::Pipeline;

fn take(_desk: impl Desk) {}

fn approve(pipeline: &dyn Pipeline<()>) {
    let _ = pipeline.finish();
    take(pipeline);
}

fn main() {
    let _ = approve;
}
