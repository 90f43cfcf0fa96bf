//! Relay-style connections.

use serde_json::{Value, json};

use crate::args::Args;

/// One page of `nodes` by `first`/`after` or `last`/`before`; a node's cursor is its id.
pub(crate) fn connection(nodes: Vec<Value>, args: Args<'_>) -> Value {
    let total = nodes.len();
    let at = |name: &str| {
        let cursor = args.opt_text(name)?;
        nodes.iter().position(|node| cursor_of(node) == cursor)
    };
    let mut start = at("after").map_or(0, |index| index + 1);
    let mut end = at("before").unwrap_or(total).max(start);
    if let Some(first) = args.size("first") {
        end = end.min(start.saturating_add(first));
    }
    if let Some(last) = args.size("last") {
        start = start.max(end.saturating_sub(last));
    }
    let page: Vec<Value> = nodes.into_iter().skip(start).take(end - start).collect();
    json!({
        "pageInfo": {
            "hasPreviousPage": start > 0,
            "hasNextPage": end < total,
            "startCursor": page.first().map(cursor_of),
            "endCursor": page.last().map(cursor_of),
        },
        "edges": page.iter().map(edge).collect::<Vec<_>>(),
    })
}

fn edge(node: &Value) -> Value {
    json!({ "cursor": cursor_of(node), "node": node })
}

fn cursor_of(node: &Value) -> String {
    node.get("id")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}
