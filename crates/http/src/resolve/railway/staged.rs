//! Commits of what was staged before. The request does not say what it commits, and what is staged can
//! change between a person's look and the commit: so it is never forwarded. What is staged now is
//! looked up and sent explicitly instead, and judged as what it is.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tagout_core::operation::{Attempt, Operation};
use tagout_core::pipeline::Adapter as _;
use tagout_core::untrusted::Untrusted;

use super::ask::LookUp;
use super::asked::{Field, fields, only_field};
use super::derive::attempt;
use crate::adapter::HttpAdapter;
use crate::message::Message;

/// The mutation that commits blindly.
const BLIND: &str = "environmentPatchCommitStaged";

const STAGED: &str = "query tagoutStaged($environmentId: String!) {
  environmentStagedChanges(environmentId: $environmentId) { patch }
}";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    environment_staged_changes: Staged,
}

#[derive(Deserialize)]
struct Staged {
    patch: Value,
}

/// Whether an operation commits what it does not say.
pub(crate) fn is_blind(operation: &Operation) -> bool {
    fields(operation).iter().any(|field| field.name == BLIND)
}

/// The operation that sends the staged patch explicitly. `None` if it can't be written: the commit
/// stands in one request with others, wants what an explicit commit can't do, or nothing is known of
/// what is staged.
pub(crate) async fn explicit(
    adapter: &HttpAdapter,
    look_up: LookUp<'_>,
    operation: &Operation,
) -> Option<Operation> {
    let field = only_field(operation)?;
    if field.name != BLIND
        || field
            .value("skipDeploys")
            .is_some_and(|skip| *skip != json!(false))
    {
        return None;
    }
    let environment_id = field.text("environmentId")?;
    let variables = json!({"environmentId": environment_id});
    let staged: Answer = look_up.ask(STAGED, variables).await.ok()?;
    let patch = staged.environment_staged_changes.patch;
    let attempt = commit(look_up, operation, field, &patch)?;
    let explicit = adapter.classify(&attempt).ok()?;
    // The patch may hold values that the agent does not know: its refusal names the request only.
    let summary = format!(
        "{} (what is staged is sent explicitly)",
        operation.summary.raw()
    );
    Some(Operation {
        summary: Untrusted::new(summary),
        ..explicit
    })
}

fn commit(
    look_up: LookUp<'_>,
    operation: &Operation,
    field: Field<'_>,
    patch: &Value,
) -> Option<Attempt> {
    let patch = patch.as_object()?;
    let query = format!(
        "mutation($environmentId: String!, $patch: EnvironmentConfig, $commitMessage: String) {{
          {}: environmentPatchCommit(environmentId: $environmentId, patch: $patch, commitMessage: $commitMessage)
        }}",
        response_key(operation)
    );
    let mut variables = Map::new();
    variables.insert(
        "environmentId".to_owned(),
        Value::from(field.text("environmentId")?),
    );
    variables.insert("patch".to_owned(), Value::Object(patch.clone()));
    if let Some(message) = field.text("commitMessage") {
        variables.insert("commitMessage".to_owned(), Value::from(message));
    }
    attempt(look_up.to, &query, &variables)
}

/// The name under which the agent expects the answer: its alias, if it gave one. The text is the
/// classifier's own print.
fn response_key(operation: &Operation) -> String {
    let key = || {
        let message = Message::parse(operation.exact.bytes()).ok()?;
        let body: Value = serde_json::from_slice(&message.body).ok()?;
        let text = body.get("query")?.as_str()?;
        let before = text
            .get(..text.find(BLIND)?)?
            .trim_end()
            .strip_suffix(':')?
            .trim_end();
        let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let start = before.rfind(|c| !is_name(c)).map_or(0, |index| index + 1);
        before
            .get(start..)
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
    };
    key().unwrap_or_else(|| BLIND.to_owned())
}
