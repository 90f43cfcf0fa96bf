//! Measures durable appends: entries per second and the time to an acknowledgement, with 1, 16 and 64
//! producers and entries of 800 bytes. Run with `--release`; takes the directory as its argument.

#![allow(clippy::print_stdout, reason = "the figures are this program's output")]

use std::{
    error::Error,
    path::Path,
    time::{Duration, Instant},
};

use tagout_ledger::{Class, Ledger, LedgerError, NoteSigner, Options};

const ENTRY_BYTES: usize = 800;
const MEASURED: Duration = Duration::from_secs(4);

fn main() -> Result<(), Box<dyn Error>> {
    let directory = std::env::args_os()
        .nth(1)
        .ok_or("usage: throughput DIRECTORY")?;
    println!("producers   entries/s   ack p50 ms   ack p99 ms");
    for producers in [1, 16, 64] {
        let mut times = measure(
            &Path::new(&directory).join(producers.to_string()),
            producers,
        )?;
        times.sort_unstable();
        let rate = times.len() as f64 / MEASURED.as_secs_f64();
        let at = |percent: usize| {
            let time = times.get(times.len().saturating_sub(1) * percent / 100);
            time.copied().unwrap_or_default().as_secs_f64() * 1000.0
        };
        println!(
            "{producers:>9}   {rate:>9.0}   {:>10.3}   {:>10.3}",
            at(50),
            at(99)
        );
    }
    Ok(())
}

/// The times to acknowledgement of all entries.
fn measure(directory: &Path, producers: usize) -> Result<Vec<Duration>, LedgerError> {
    let signer = NoteSigner::from_seed("bench.example/ledger", &[1; 32])?;
    let (ledger, _) = Ledger::open(Options::new(directory, signer))?;
    let start = Instant::now();
    std::thread::scope(|scope| {
        let produce = || append_until(&ledger, start + MEASURED);
        let threads: Vec<_> = (0..producers).map(|_| scope.spawn(produce)).collect();
        let mut times = Vec::new();
        for thread in threads {
            let stopped = || LedgerError::WriterDead("a producer panicked".to_owned());
            times.extend(thread.join().map_err(|_| stopped())??);
        }
        Ok(times)
    })
}

fn append_until(ledger: &Ledger, end: Instant) -> Result<Vec<Duration>, LedgerError> {
    let mut times = Vec::new();
    while Instant::now() < end {
        let start = Instant::now();
        ledger.append_blocking(Class::Effect, vec![b'x'; ENTRY_BYTES])?;
        times.push(start.elapsed());
    }
    Ok(times)
}
