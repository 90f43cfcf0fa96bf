//! Which functions and operators are known to change nothing, and which are known to do more than their
//! callers' statement says. By name alone: whether a name means what we think is for the catalog to say.

mod dangerous;

use std::collections::HashSet;
use std::sync::OnceLock;

use tagout_core::effect::Effect;

pub(super) use dangerous::{Reads, reads};

use super::statement::Name;

/// What is known of a function by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vetted {
    /// Every function of that name in `pg_catalog` only computes or looks.
    Safe,
    /// It does more than that: the effect, and the reason for a person.
    Dangerous(Effect, &'static str),
    /// Nothing is known: somebody's own, or an extension's.
    Unknown,
}

/// What is known of the function that `name` names. Without a schema, or in `pg_catalog`, it is looked up
/// among the server's own; extensions' functions that reach outside are known in whichever schema.
#[must_use]
pub fn vetted(name: &Name) -> Vetted {
    if let Some((effect, why)) = dangerous::of_extensions(name) {
        return Vetted::Dangerous(effect, why);
    }
    if !name.may_be_systems() {
        return Vetted::Unknown;
    }
    if let Some((effect, why)) = dangerous::of_the_server(&name.name) {
        return Vetted::Dangerous(effect, why);
    }
    if safe().contains(name.name.as_str()) {
        return Vetted::Safe;
    }
    Vetted::Unknown
}

/// Whether an operator is one of the server's own.
#[must_use]
pub fn vetted_operator(name: &Name) -> bool {
    static OPERATORS: OnceLock<HashSet<&str>> = OnceLock::new();
    let operators = OPERATORS.get_or_init(|| lines(include_str!("operators.txt")));
    name.may_be_systems() && operators.contains(name.name.as_str())
}

/// Whether what a call does escapes the transaction that it stands in: it can't be measured before it is
/// committed, and not be rolled back.
#[must_use]
pub fn escapes(name: &Name) -> bool {
    dangerous::reaches_out(name)
        || name.may_be_systems() && dangerous::is_not_rolled_back(&name.name)
}

fn safe() -> &'static HashSet<&'static str> {
    static SAFE: OnceLock<HashSet<&str>> = OnceLock::new();
    SAFE.get_or_init(|| lines(include_str!("safe.txt")))
}

/// The lines of one of our lists; `# ` begins a remark (`#` alone is an operator).
fn lines(list: &'static str) -> HashSet<&'static str> {
    list.lines()
        .filter(|line| !line.is_empty() && !line.starts_with("# "))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_known_by_schema_and_name() {
        let within = |schema: &str, name: &str| vetted(&Name::within(schema, name));
        assert_eq!(vetted(&Name::bare("lower")), Vetted::Safe);
        assert_eq!(within("pg_catalog", "lower"), Vetted::Safe);
        assert_eq!(within("public", "lower"), Vetted::Unknown);
        assert_eq!(vetted(&Name::bare("LOWER")), Vetted::Unknown);
        assert_eq!(vetted(&Name::bare("cleanup")), Vetted::Unknown);
        assert!(matches!(
            within("extensions", "dblink_exec"),
            Vetted::Dangerous(Effect::Opaque, _)
        ));
        assert_eq!(within("public", "pg_reload_conf"), Vetted::Unknown);
        assert!(vetted_operator(&Name::bare("#")) && vetted_operator(&Name::bare("##")));
        assert!(!vetted_operator(&Name::within("public", "=")));
        assert!(!vetted_operator(&Name::bare("<%>")));
    }

    #[test]
    fn nothing_is_both_safe_and_dangerous() {
        for name in safe() {
            assert_eq!(dangerous::of_the_server(name), None, "{name}");
            assert_eq!(dangerous::of_extensions(&Name::bare(*name)), None, "{name}");
        }
        assert!(safe().len() > 1500, "{}", safe().len());
    }
}
