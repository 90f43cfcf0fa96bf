//! `@skip` and `@include`: what is left out, and what only some servers leave out.

use serde_json::{Value, json};
use tagout_core::effect::Effect;

use crate::requests::{curl, explainer, understand, worst};

/// Servers are known that look only at the variables that were sent along and take a condition without
/// one for false, whatever the variable's default says. So a default leaves nothing out.
#[test]
fn a_default_leaves_nothing_out() {
    let explainer = explainer();
    let (none, no, yes) = (json!({}), json!({"c": false}), json!({"c": true}));
    let (destroy, read) = (Effect::Destroy, Effect::Read);
    let table: [(&str, &str, &Value, Effect); 9] = [
        ("Boolean! = true", "@skip(if: $c)", &none, destroy),
        ("Boolean = true", "@skip(if: $c)", &none, destroy),
        ("Boolean! = false", "@include(if: $c)", &none, destroy),
        ("Boolean! = false", "@skip(if: $c)", &none, destroy),
        ("Boolean! = true", "@include(if: $c)", &none, destroy),
        ("Boolean! = false", "@skip(if: $c)", &yes, read),
        ("Boolean! = true", "@include(if: $c)", &no, read),
        ("Boolean!", "@skip(if: $c)", &yes, read),
        ("Boolean!", "@skip(if: true)", &none, read),
    ];
    for (ty, directive, variables, expected) in table {
        for body in [
            format!("volumeDelete(volumeId: \"1\") {directive}"),
            format!("... {directive} {{ volumeDelete(volumeId: \"1\") }}"),
            format!("... on Mutation {directive} {{ volumeDelete(volumeId: \"1\") }}"),
        ] {
            let unused = if directive.contains("$c") {
                format!("($c: {ty})")
            } else {
                String::new()
            };
            let query = format!("mutation{unused} {{ {body} }}");
            let understood = understand(&explainer, &curl(&query, variables));
            assert_eq!(worst(&understood), expected, "{query} {variables}");
        }
    }
}
