//! A day of ordinary work: what psql, pg_dump, drivers, ORMs and migrations that add send. None of it may
//! be classed worse than it is: each needless hold is a reason to switch the guard off.

use crate::summary;

const ORDINARY: &str = include_str!("ordinary.txt");

#[test]
fn nothing_ordinary_is_classed_worse_than_it_is() {
    let mut wrong = Vec::new();
    let mut cases = 0;
    for line in ORDINARY.lines() {
        if line.is_empty() || line.starts_with("# ") {
            continue;
        }
        let (expected, sql) = line.split_once(": ").unwrap();
        let found = summary(sql);
        let worst = crate::explainer().explain(sql.as_bytes()).worst();
        cases += 1;
        if worst.word() != expected {
            wrong.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(cases >= 200, "{cases}");
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
