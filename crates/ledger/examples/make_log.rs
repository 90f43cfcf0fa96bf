//! Makes a small log to try verifiers on: `make_log DIRECTORY COUNT`. Prints the verifier key.

#![allow(clippy::print_stdout, reason = "the key is this program's output")]

use std::error::Error;

use tagout_ledger::{Class, Ledger, NoteSigner, Options};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: make_log DIRECTORY COUNT";
    let directory = arguments.next().ok_or(usage)?;
    let count: u64 = arguments.next().ok_or(usage)?.parse()?;
    let signer = NoteSigner::from_seed("example.com/ledger", &[1; 32])?;
    println!("{}", signer.verifier());
    let (ledger, _) = Ledger::open(Options::new(directory, signer))?;
    for number in 1..=count {
        let append = ledger.append(
            Class::Effect,
            format!(r#"{{"number":{number}}}"#).into_bytes(),
        );
        if number % 1000 == 0 || number == count {
            // Entries become durable in order, so waiting for this one waits for all before it.
            ledger.append_blocking(Class::Effect, b"{}".to_vec())?;
        }
        drop(append);
    }
    Ok(())
}
