//! Which projects there are for our credential, whatever kind of credential it is.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::json;

use super::ask::{LookUp, NotFound};
use super::page::ask_all;

const WORKSPACES: &str = "query tagoutWorkspaces { apiToken { workspaces { id } } }";

const PROJECTS: &str = "query tagoutProjects($workspaceId: String, $after: String) {
  projects(workspaceId: $workspaceId, first: 100, after: $after) {
    edges { node { id } } pageInfo { hasNextPage endCursor }
  }
}";

const PROJECT_TOKEN: &str = "query tagoutProjectToken { projectToken { projectId } }";

#[derive(Deserialize)]
struct Workspaces {
    #[serde(rename = "apiToken")]
    api_token: ApiToken,
}

#[derive(Deserialize)]
struct ApiToken {
    workspaces: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ProjectToken {
    project_token: OfProject,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfProject {
    project_id: String,
}

/// The ids of all projects: of the account, and of each workspace that an account's or workspace's
/// token can see; or the one project of a project token.
pub(crate) async fn project_ids(look_up: LookUp<'_>) -> Result<BTreeSet<String>, NotFound> {
    let workspaces = workspaces(look_up).await?;
    let own = in_workspace(look_up, None).await;
    let mut ids = match (own, workspaces.is_empty()) {
        (Ok(ids), _) => ids,
        (Err(NotFound::Refused(_)), false) => BTreeSet::new(),
        (Err(NotFound::Refused(_)), true) => return of_project_token(look_up).await,
        (Err(other), _) => return Err(other),
    };
    for workspace in workspaces {
        ids.extend(in_workspace(look_up, Some(&workspace.id)).await?);
    }
    Ok(ids)
}

/// None for a token that is not an account's or workspace's.
async fn workspaces(look_up: LookUp<'_>) -> Result<Vec<Node>, NotFound> {
    match look_up.ask::<Workspaces>(WORKSPACES, json!({})).await {
        Ok(found) => Ok(found.api_token.workspaces),
        Err(NotFound::Refused(_)) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

async fn in_workspace(
    look_up: LookUp<'_>,
    workspace_id: Option<&str>,
) -> Result<BTreeSet<String>, NotFound> {
    let variables = json!({"workspaceId": workspace_id});
    let nodes: Vec<Node> = ask_all(look_up, PROJECTS, &variables, "/projects").await?;
    Ok(nodes.into_iter().map(|node| node.id).collect())
}

async fn of_project_token(look_up: LookUp<'_>) -> Result<BTreeSet<String>, NotFound> {
    let found: ProjectToken = look_up.ask(PROJECT_TOKEN, json!({})).await?;
    Ok(BTreeSet::from([found.project_token.project_id]))
}
