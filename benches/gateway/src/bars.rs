//! The bars that were set before anything was measured.

use serde::Serialize;

use crate::decision::Decision;
use crate::report::Row;
use crate::targets::{FORWARD_RECORDED, MITMDUMP, NGINX, REVERSE_RECORDED};

/// At sixteen connections, unless half of nginx is less.
const REQUESTS_PER_S: f64 = 10_000.0;
/// At sixteen connections.
const TIMES_MITMDUMP: f64 = 20.0;
const DECISION_P99_US: f64 = 100.0;
const RESIDENT_MB: f64 = 80.0;

/// One bar, and what was found.
#[derive(Debug, PartialEq, Serialize)]
pub(crate) struct Bar {
    pub(crate) what: String,
    pub(crate) wanted: f64,
    pub(crate) found: f64,
    pub(crate) met: bool,
}

/// Every bar for which there is a figure.
pub(crate) fn judge(rows: &[Row], decisions: &[Decision], resident_mb: f64) -> Vec<Bar> {
    let rate = |name: &str| {
        let row = rows
            .iter()
            .find(|row| row.name == name && row.connections == 16);
        row.map(|row| row.requests_per_s)
    };
    let mut bars = Vec::new();
    for name in [REVERSE_RECORDED, FORWARD_RECORDED] {
        if let (Some(found), Some(nginx)) = (rate(name), rate(NGINX)) {
            let wanted = REQUESTS_PER_S.min(nginx / 2.0);
            bars.push(Bar::at_least(format!("{name}, requests/s"), wanted, found));
        }
        if let (Some(found), Some(mitmdump)) = (rate(name), rate(MITMDUMP)) {
            let what = format!("{name}, times mitmdump");
            bars.push(Bar::at_least(what, TIMES_MITMDUMP, found / mitmdump));
        }
    }
    for decision in decisions {
        let what = format!("decision p99 µs, 2,000 policies, {}", decision.what);
        bars.push(Bar::below(what, DECISION_P99_US, decision.p99_us));
    }
    let what = "resident memory, MB".to_owned();
    bars.push(Bar::below(what, RESIDENT_MB, resident_mb));
    bars
}

impl Bar {
    fn at_least(what: String, wanted: f64, found: f64) -> Self {
        Self {
            met: found >= wanted,
            what,
            wanted,
            found,
        }
    }

    fn below(what: String, wanted: f64, found: f64) -> Self {
        Self {
            met: found < wanted,
            what,
            wanted,
            found,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, requests_per_s: f64) -> Row {
        Row {
            requests_per_s,
            ..Row::named(name, 16)
        }
    }

    #[test]
    fn half_of_nginx_where_that_is_less() {
        for (nginx, found, met) in [
            (30_000.0, 9_999.0, false),
            (30_000.0, 10_000.0, true),
            (12_000.0, 6_000.0, true),
            (12_000.0, 5_999.0, false),
        ] {
            let rows = [row(NGINX, nginx), row(REVERSE_RECORDED, found)];
            assert_eq!(judge(&rows, &[], 1.0)[0].met, met, "{nginx} {found}");
        }
        let rows = [row(MITMDUMP, 300.0), row(FORWARD_RECORDED, 5_999.0)];
        let bars = judge(&rows, &[], 80.0);
        assert_eq!((bars[0].met, bars[1].met), (false, false));
    }
}
