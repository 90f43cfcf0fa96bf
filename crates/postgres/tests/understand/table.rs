//! The big table: each kind of statement and each way to hide one, with everything that it does.

use crate::summary;

/// Each line of the table: the statement, ` => `, and the effects in order.
const TABLE: &str = include_str!("table.txt");

#[test]
fn every_statement_means_what_the_table_says() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for line in TABLE.lines() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let (sql, expected) = line.rsplit_once(" => ").unwrap();
        let found = summary(sql);
        cases += 1;
        if found != expected {
            wrong.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(cases > 300, "{cases}");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
