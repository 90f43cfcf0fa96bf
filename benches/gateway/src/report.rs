//! The table for people and the file for programs.

use serde::Serialize;

use crate::bars::Bar;
use crate::decision::Decision;
use crate::load::Measured;
use crate::machine::Machine;
use crate::wrk::Opinion;

/// One row of the table: the medians of all rounds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) connections: usize,
    pub(crate) requests_per_s: f64,
    /// The slowest and the fastest round.
    pub(crate) requests_per_s_range: (f64, f64),
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// More than without anything in between, at the same number of connections.
    pub(crate) added_p50_us: Option<f64>,
    pub(crate) added_p99_us: Option<f64>,
    pub(crate) failed: u64,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) seconds: f64,
    pub(crate) rounds: usize,
    pub(crate) rows: Vec<Row>,
    pub(crate) wrk_16_connections: Vec<Opinion>,
    pub(crate) decisions_2000_policies: Vec<Decision>,
    pub(crate) resident_mb: f64,
    pub(crate) resident_peak_mb: f64,
    pub(crate) bars: Vec<Bar>,
}

impl Row {
    /// A row without figures.
    #[cfg(test)]
    pub(crate) fn named(name: &str, connections: usize) -> Self {
        Self {
            name: name.to_owned(),
            connections,
            ..Self::default()
        }
    }

    /// The medians of what the rounds found.
    pub(crate) fn of(name: &str, connections: usize, rounds: &[Measured]) -> Self {
        let median = |of: fn(&Measured) -> f64| {
            let mut all: Vec<f64> = rounds.iter().map(of).collect();
            all.sort_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let rates = rounds.iter().map(|round| round.requests_per_s);
        Self {
            name: name.to_owned(),
            connections,
            requests_per_s: median(|round| round.requests_per_s),
            requests_per_s_range: (
                rates.clone().fold(f64::INFINITY, f64::min),
                rates.fold(0.0, f64::max),
            ),
            p50_us: median(|round| round.p50_us),
            p99_us: median(|round| round.p99_us),
            added_p50_us: None,
            added_p99_us: None,
            failed: rounds.iter().map(|round| round.failed).sum(),
        }
    }

    /// Fills in what it adds to this row.
    pub(crate) fn compare(&mut self, baseline: &Self) {
        if self.name != baseline.name {
            self.added_p50_us = Some(self.p50_us - baseline.p50_us);
            self.added_p99_us = Some(self.p99_us - baseline.p99_us);
        }
    }
}

impl Report {
    /// Prints it.
    pub(crate) fn print(&self) {
        let machine = &self.machine;
        println!(
            "{} cores of {}, Linux {}; load {} before, {} after; {}; {}",
            machine.cores,
            machine.processor,
            machine.kernel,
            machine.load_before,
            machine.load_after,
            machine.nginx,
            machine.rustc
        );
        println!(
            "{} rounds of {} s; medians; times in µs\n",
            self.rounds, self.seconds
        );
        self.print_rows();
        println!("\nby wrk, 16 connections:");
        for opinion in &self.wrk_16_connections {
            println!("{:<34} {:>9.0} req/s", opinion.name, opinion.requests_per_s);
        }
        println!("\ndecisions with 2,000 policies:");
        for Decision {
            what,
            p50_us,
            p99_us,
        } in &self.decisions_2000_policies
        {
            println!("{what:<34} p50 {p50_us:>7.1} µs   p99 {p99_us:>7.1} µs");
        }
        println!(
            "\nresident memory of the gateway: {:.1} MB, at most {:.1} MB\n",
            self.resident_mb, self.resident_peak_mb
        );
        for bar in &self.bars {
            let word = if bar.met { "met    " } else { "NOT MET" };
            println!(
                "{word} {}: {:.1} (bar {:.1})",
                bar.what, bar.found, bar.wanted
            );
        }
    }

    fn print_rows(&self) {
        println!(
            "{:<34} {:>5} {:>9} {:>15} {:>9} {:>9} {:>9} {:>9} {:>7}",
            "", "conns", "req/s", "rounds", "p50", "p99", "+p50", "+p99", "failed"
        );
        let added = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.0}"));
        for row in &self.rows {
            let (low, high) = row.requests_per_s_range;
            println!(
                "{:<34} {:>5} {:>9.0} {:>15} {:>9.0} {:>9.0} {:>9} {:>9} {:>7}",
                row.name,
                row.connections,
                row.requests_per_s,
                format!("{low:.0}-{high:.0}"),
                row.p50_us,
                row.p99_us,
                added(row.added_p50_us),
                added(row.added_p99_us),
                row.failed
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_medians_and_differences() {
        let round = |rate: f64, failed| Measured {
            requests_per_s: rate,
            p50_us: rate * 2.0,
            p99_us: rate * 3.0,
            failed,
        };
        let mut row = Row::of("x", 1, &[round(9.0, 1), round(1.0, 0), round(5.0, 2)]);
        assert_eq!((row.requests_per_s, row.failed), (5.0, 3));
        assert_eq!(row.requests_per_s_range, (1.0, 9.0));
        let direct = Row {
            p50_us: 4.0,
            p99_us: 5.0,
            ..Row::named("direct", 1)
        };
        row.compare(&direct);
        assert_eq!(
            (row.added_p50_us, row.added_p99_us),
            (Some(6.0), Some(10.0))
        );
    }
}
