//! Every built-in pack passes its own cases, and a pack that is wrong is refused with a suggestion.

use std::collections::BTreeMap;

use tagout_http::understand::Packs;
use tagout_http::understand::pack::{PackError, PackText};

use crate::requests::{explainer, packs, understand};

#[test]
fn packs_pass_their_own_cases() {
    let explainer = explainer();
    let packs = packs();
    let names: Vec<&str> = packs.names().collect();
    assert!(
        names.contains(&"railway")
            && names.contains(&"rest-default")
            && names.contains(&"example-app"),
        "{names:?}"
    );
    let mut failures = Vec::new();
    for name in names {
        assert!(!packs.cases(name).is_empty(), "pack `{name}` has no cases");
        for case in packs.cases(name) {
            if let Err(why) = case.check(&understand(&explainer, &case.request)) {
                failures.push(format!("{name}: {why}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn pack(files: &[(&str, &str)]) -> Result<Packs, PackError> {
    let files: BTreeMap<String, String> = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    Packs::load(&[PackText {
        name: "p".to_owned(),
        files,
    }])
}

const HEAD: &str = "name = \"p\"\nversion = \"1\"\n[graphql]\npaths = [\"/g\"]\n";
const SCHEMA: &str = "type Query { a(x: String!): Int } type Mutation { b(i: I): Int } input I { k: E } enum E { Y }";
const QUERIES: &str = "a = { effect = \"read\", on = \"a:{x}\" }\n";

fn with_mutations(mutations: &str) -> Result<Packs, PackError> {
    pack(&[
        ("pack.toml", HEAD),
        ("schema.graphql", SCHEMA),
        ("queries.toml", QUERIES),
        ("mutations.toml", mutations),
    ])
}

#[test]
fn a_wrong_pack_is_refused_and_says_why() {
    assert!(with_mutations("b = { effect = \"write\", on = \"b:{i.k}\" }").is_ok());
    for (mutations, says) in [
        ("", "`Mutation.b` has no rule"),
        (
            "b = { effct = \"write\", on = \"b:*\" }",
            "did you mean `effect`",
        ),
        (
            "b = { effect = \"wriet\", on = \"b:*\" }",
            "did you mean `write`",
        ),
        (
            "b = { effect = \"write\", on = \"b\" }",
            "is not a resource",
        ),
        (
            "b = { effect = \"write\", on = \"b:{z}\" }",
            "there is no argument `z`",
        ),
        (
            "b = { effect = \"write\", on = \"b:{i.z}\" }",
            "there is no argument `z`",
        ),
        (
            "b = { effect = \"write\", on = \"b:*\", environment = \"env\" }",
            "there is no argument `env`",
        ),
        (
            "b = { effect = \"write\", on = \"b:*\", also = [{ when = \"i.q is null\", effect = \"destroy\", why = \"x\" }] }",
            "there is no argument `q`",
        ),
        (
            "b = { effect = \"write\", on = \"b:*\", also = [{ when = \"i.k was null\", effect = \"destroy\", why = \"x\" }] }",
            "mutations.toml",
        ),
        (
            "b = { effect = \"write\", on = \"b:*\", shape = { at = \"i\", is = \"s\" } }",
            "there is no shape `s`",
        ),
        (
            "b = { effect = \"write\", on = \"b:*\" }\nc = { effect = \"write\", on = \"b:*\" }",
            "`Mutation` has no such field",
        ),
    ] {
        let error = with_mutations(mutations).unwrap_err().to_string();
        assert!(error.contains(says), "{mutations}: {error}");
    }
    let other = pack(&[("pack.toml", "name = \"p\"\nversion = \"1\"\nhots = []")])
        .unwrap_err()
        .to_string();
    assert!(other.contains("did you mean `hosts`"), "{other}");
    assert!(matches!(
        pack(&[("packs.toml", "")]),
        Err(PackError::UnknownFile { .. })
    ));
    assert!(matches!(
        pack(&[]),
        Err(PackError::MissingFile {
            file: "pack.toml",
            ..
        })
    ));
    let lacks = pack(&[("pack.toml", HEAD)]);
    assert!(matches!(
        lacks,
        Err(PackError::MissingFile {
            file: "schema.graphql",
            ..
        })
    ));
}
