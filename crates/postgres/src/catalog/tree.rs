//! What a stored expression or query refers to. PostgreSQL keeps views, rules, policies, defaults and checks
//! as trees in text (`pg_node_tree`, written by `outfuncs.c`). `pg_depend` does not do: it leaves out
//! everything that comes with the server, and so also what of that is dangerous.
//!
//! Nothing here understands a tree. It collects every field that holds the OID of something that runs or is
//! read; a name in a tree that looks like such a field is written with its blank escaped, so it is not one.

use std::collections::BTreeSet;

use super::relation::FIRST_OF_USERS;

/// What a tree refers to, by OID.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct References {
    pub(super) functions: BTreeSet<u32>,
    pub(super) operators: BTreeSet<u32>,
    pub(super) relations: BTreeSet<u32>,
    pub(super) types: BTreeSet<u32>,
    /// Whether a query in it is anything but a SELECT.
    pub(super) changes: bool,
}

/// The `CmdType` of a SELECT.
const SELECT: u32 = 1;

/// Reads a tree. More than one may be strung together.
pub(super) fn references(tree: &str) -> References {
    let mut found = References::default();
    let mut words = tree.split_ascii_whitespace().peekable();
    while let Some(word) = words.next() {
        let Some(field) = word.strip_prefix(':') else {
            continue;
        };
        if field == "opnos" {
            // A list of OIDs: `(o 96 97)`.
            let listed = words.by_ref().skip(1).map_while(number);
            found.operators.extend(listed);
            continue;
        }
        if let Some(value) = words.peek().and_then(|value| number(value)) {
            found.note(field, value);
        }
    }
    found
}

fn number(word: &str) -> Option<u32> {
    word.trim_end_matches([')', '}']).parse().ok()
}

impl References {
    fn note(&mut self, field: &str, value: u32) {
        if value == 0 {
            return;
        }
        match field {
            "funcid" | "aggfnoid" | "winfnoid" | "tsmhandler" => {
                self.functions.insert(value);
            }
            // Behind an operator; those behind the server's own operators only compute.
            "opfuncid" | "hashfuncid" | "negfuncid" if value >= FIRST_OF_USERS => {
                self.functions.insert(value);
            }
            "opno" | "eqop" | "sortop" => {
                self.operators.insert(value);
            }
            "relid" | "seqid" => {
                self.relations.insert(value);
            }
            "resulttype" | "funcresulttype" | "opresulttype" | "consttype" | "vartype"
            | "paramtype" | "aggtype" | "wintype" | "row_typeid" => {
                self.types.insert(value);
            }
            "commandType" => self.changes |= value != SELECT,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_gives_all_that_runs_in_it() {
        let tree = "({QUERY :commandType 1 :rtable ({RTE :relname x\\ :funcid\\ 9 :rtekind 0 :relid 16385 \
                    :jointype 0}) {FUNCEXPR :funcid 870 :funcresulttype 25 :funcretset false} {OPEXPR :opno 96 \
                    :opfuncid 65 :opresulttype 16} {ROWCOMPAREEXPR :rctype 1 :opnos (o 97 98) :opfamilies (o \
                    1976)} {AGGREF :aggfnoid 2803})";
        let found = references(tree);
        assert_eq!(found.functions, BTreeSet::from([870, 2803]));
        assert_eq!(found.operators, BTreeSet::from([96, 97, 98]));
        assert_eq!(found.relations, BTreeSet::from([16385]));
        assert!(!found.changes);
        assert!(references("{QUERY :commandType 4 :x 0}").changes);
    }
}
