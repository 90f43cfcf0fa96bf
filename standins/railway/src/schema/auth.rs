//! Who calls, and how far the credential reaches.

use serde_json::Value;

use crate::args::Args;
use crate::error::Refusal;
use crate::state::World;

/// What a credential may touch.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Reach {
    /// An account token: everything its user can do.
    Account,
    /// A workspace token: every project of the one workspace; not the user.
    Workspace(String),
    /// A project token: one environment of one project.
    Environment {
        token_id: String,
        project_id: String,
        environment_id: String,
    },
}

/// The holder of a valid credential.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The credential's name, never its value.
    pub(crate) name: String,
    pub(crate) reach: Reach,
}

/// Operations that are about more than one environment.
const BEYOND_A_PROJECT_TOKEN: [&str; 16] = [
    "me",
    "workspace",
    "projects",
    "apiToken",
    "apiTokens",
    "apiTokenCreate",
    "apiTokenDelete",
    "projectCreate",
    "projectUpdate",
    "projectDelete",
    "projectScheduleDelete",
    "projectScheduleDeleteCancel",
    "projectScheduleDeleteForce",
    "projectTokenCreate",
    "projectTokenDelete",
    "environmentCreate",
];

/// Finds the holder of a bearer token or of a project token.
pub(crate) fn identify(
    world: &World,
    bearer: Option<&str>,
    project_token: Option<&str>,
) -> Option<Caller> {
    if let Some(secret) = bearer {
        let token = world.api_tokens.values().find(|t| t.token == secret)?;
        let reach = token
            .workspace_id
            .clone()
            .map_or(Reach::Account, Reach::Workspace);
        return Some(Caller {
            name: token.name.clone(),
            reach,
        });
    }
    let secret = project_token?;
    let token = world.project_tokens.values().find(|t| t.token == secret)?;
    let reach = Reach::Environment {
        token_id: token.id.clone(),
        project_id: token.project_id.clone(),
        environment_id: token.environment_id.clone(),
    };
    Some(Caller {
        name: token.name.clone(),
        reach,
    })
}

/// Refuses what the caller's credential does not reach.
pub(crate) fn check(
    world: &World,
    caller: &Caller,
    field: &str,
    args: Args<'_>,
) -> Result<(), Refusal> {
    let allowed = match &caller.reach {
        Reach::Account => field != "projectToken",
        Reach::Workspace(_) => !matches!(field, "me" | "projectToken"),
        Reach::Environment {
            project_id,
            environment_id,
            ..
        } => {
            !BEYOND_A_PROJECT_TOKEN.contains(&field)
                && args
                    .entries()
                    .all(|(_, v)| within(world, v, project_id, environment_id))
        }
    };
    if allowed {
        Ok(())
    } else {
        Err(Refusal::NotAuthorized)
    }
}

/// Whether no id inside `value` belongs to another project or environment.
fn within(world: &World, value: &Value, project: &str, environment: &str) -> bool {
    match value {
        Value::String(id) => world.owner_of(id).is_none_or(|owner| {
            owner.project_id == project && owner.environment_id.is_none_or(|e| e == environment)
        }),
        Value::Array(items) => items
            .iter()
            .all(|item| within(world, item, project, environment)),
        Value::Object(fields) => fields
            .values()
            .all(|v| within(world, v, project, environment)),
        _ => true,
    }
}
