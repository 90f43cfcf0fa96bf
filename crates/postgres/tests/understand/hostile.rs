//! What nobody writes by accident: depth, length, other encodings, bytes at random.

use std::time::{Duration, Instant};

use tagout_core::effect::Effect;
use tagout_postgres::understand::{Limits, NotUnderstood, Reader};

use crate::{explainer, reader};

#[test]
fn what_has_more_than_one_reading_is_refused() {
    let read = |sql: &[u8]| reader().read_blocking(sql).unwrap_err();
    assert_eq!(read(b"SELECT '\xff'"), NotUnderstood::NotUtf8);
    assert_eq!(read(b"SELECT '\xe3\x81'"), NotUnderstood::NotUtf8);
    assert_eq!(read(b"SELECT 1\0; DROP TABLE t"), NotUnderstood::Nul);
    let limit = 1024 * 1024;
    let long = vec![b' '; limit + 1];
    assert_eq!(
        read(&long),
        NotUnderstood::TooLong {
            bytes: limit + 1,
            limit
        }
    );
    assert!(matches!(read(b"SELEKT 1"), NotUnderstood::Syntax(_)));
    assert!(matches!(
        read(b"SELECT 1; SELEKT 1"),
        NotUnderstood::Syntax(_)
    ));
}

#[test]
fn the_longest_text_is_read() {
    let row = "(1, 'some text that is as long as text often is')";
    let count = 1024 * 1024 / (row.len() + 1) - 1;
    let sql = format!("INSERT INTO t VALUES {}", vec![row; count].join(","));
    assert!(sql.len() > 1_000_000);
    assert_eq!(explainer().explain(sql.as_bytes()).worst(), Effect::Write);
    let text = format!("SELECT '{}'", "x".repeat(1_000_000));
    assert_eq!(explainer().explain(text.as_bytes()).worst(), Effect::Read);
}

/// Ways to nest that the grammar has, each as what is repeated before and after the middle.
const NESTS: [(&str, &str, &str, &str, &str); 20] = [
    ("SELECT ", "", "1", "+1", ""),
    ("SELECT ", "+-", "x", "", ""),
    ("SELECT ", "", "1", "::int", ""),
    ("", "", "SELECT 1", " UNION ALL SELECT 1", ""),
    ("SELECT ", "(SELECT ", "1", ")", ""),
    ("SELECT * FROM ", "(SELECT * FROM ", "t", ")", ""),
    ("SELECT ", "f(", "1", ")", ""),
    ("SELECT ARRAY", "[", "1", "]", ""),
    ("SELECT ", "(", "1", ")", ""),
    ("SELECT ", "CASE WHEN ", "x", " THEN 1 END", ""),
    ("SELECT * FROM t", "", "", " CROSS JOIN t", ""),
    ("", "WITH a AS (", "SELECT 1", ") SELECT 1", ""),
    ("SELECT ", "NOT ", "x", "", ""),
    ("SELECT x", "", "", " OR x", ""),
    ("SELECT x", "", "", " ISNULL", ""),
    ("SELECT x", "", "", " COLLATE c", ""),
    ("SELECT ", "JSON_SCALAR(", "1", ")", ""),
    ("SELECT ", "count(*) OVER (ORDER BY ", "1", ")", ""),
    ("SELECT ", "query_to_xml('", "x", "')", ""),
    ("EXPLAIN ", "(SELECT ", "1", ")", ""),
];

#[test]
fn no_depth_ends_the_process() {
    for (begin, before, middle, after, end) in NESTS {
        for depth in [10, 200, 500, 740, 1_000, 1_490, 5_000, 9_000, 100_000] {
            let (before, after) = (before.repeat(depth), after.repeat(depth));
            let sql = format!("{begin}{before}{middle}{after}{end}");
            let began = Instant::now();
            let worst = explainer().explain(sql.as_bytes()).worst();
            assert!(
                [Effect::Read, Effect::Opaque, Effect::Unknown].contains(&worst),
                "{worst:?}"
            );
            assert!(began.elapsed() < Duration::from_secs(10), "{begin}{depth}");
        }
    }
}

#[test]
fn ordinary_depth_is_read() {
    for (begin, before, middle, after, end) in NESTS {
        let (before, after) = (before.repeat(60), after.repeat(60));
        let sql = format!("{begin}{before}{middle}{after}{end}");
        if before.contains("query_to_xml") {
            continue;
        }
        assert!(
            reader().read_blocking(sql.as_bytes()).is_ok(),
            "{begin}{before}"
        );
    }
}

#[test]
fn whoever_waits_too_long_is_told_and_the_next_is_served() {
    let limits = Limits {
        time_limit: Duration::from_millis(1),
        threads: 1,
        ..Limits::default()
    };
    let reader = Reader::start(limits).unwrap();
    let sql = format!("SELECT {}", vec!["x"; 300_000].join(","));
    let slow = reader.read_blocking(sql.as_bytes());
    assert_eq!(slow.unwrap_err(), NotUnderstood::TooSlow { limit_ms: 1 });
    let deadline = Instant::now() + Duration::from_secs(20);
    while reader.read_blocking(b"SELECT 1").is_err() {
        assert!(Instant::now() < deadline, "never served again");
    }
}

#[test]
fn both_ways_to_ask_know_what_was_read() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    let sql = b"SELECT * FROM asked_twice";
    assert!(reader().known(sql).is_none());
    let first = runtime.block_on(reader().read(sql)).unwrap();
    assert_eq!(reader().known(sql).as_ref(), Some(&first));
    assert_eq!(reader().read_blocking(sql).unwrap(), first);
    assert!(runtime.block_on(reader().read(b"SELEKT")).is_err());
}

/// A small generator of numbers that are the same in each run (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        let below = below.max(1);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below).unwrap()).unwrap()
    }
}

#[test]
fn no_bytes_make_it_fail() {
    let seeds: Vec<&str> = include_str!("table.txt")
        .lines()
        .filter(|line| !line.starts_with("# "))
        .filter_map(|line| line.rsplit_once(" => "))
        .map(|(sql, _)| sql)
        .collect();
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let until = Instant::now() + Duration::from_secs(3);
    let mut tried = 0;
    while Instant::now() < until {
        let mut sql = seeds[dice.roll(seeds.len())].as_bytes().to_vec();
        for _ in 0..=dice.roll(4) {
            let other = seeds[dice.roll(seeds.len())].as_bytes();
            mutate(&mut sql, other, &mut dice);
        }
        let read = reader().read_blocking(&sql);
        assert_ne!(
            read,
            Err(NotUnderstood::Failed),
            "{}",
            String::from_utf8_lossy(&sql)
        );
        let explained = explainer().explain(&sql);
        assert!(!explained.effects.is_empty());
        tried += 1;
    }
    assert!(tried > 500, "{tried}");
}

fn mutate(sql: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    let at = dice.roll(sql.len() + 1);
    match dice.roll(5) {
        0 => sql.insert(at, u8::try_from(dice.roll(256)).unwrap()),
        1 if at < sql.len() => drop(sql.remove(at)),
        2 => sql.truncate(at),
        3 => {
            let from = dice.roll(other.len());
            sql.splice(at..at, other[from..].iter().copied());
        }
        _ => {
            let words = [
                " ( ", " ) ", " ; ", "'", "\"", "$$", "--", "/*", " SELECT ", " CASCADE", "::x",
            ];
            let word = words[dice.roll(words.len())];
            sql.splice(at..at, word.bytes());
        }
    }
}
