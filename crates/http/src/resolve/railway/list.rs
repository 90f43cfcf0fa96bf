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
    let mut ids = visible(in_workspace(look_up, None).await)?;
    for workspace in workspaces(look_up).await? {
        ids.extend(in_workspace(look_up, Some(&workspace.id)).await?);
    }
    if ids.is_empty() {
        ids = visible(of_project_token(look_up).await)?;
    }
    Ok(ids)
}

/// What our credential may not see is not there for it.
fn visible<T: Default>(answer: Result<T, NotFound>) -> Result<T, NotFound> {
    match answer {
        Err(NotFound::Refused(_)) => Ok(T::default()),
        answer => answer,
    }
}

/// None for a token that is not an account's or workspace's.
async fn workspaces(look_up: LookUp<'_>) -> Result<Vec<Node>, NotFound> {
    let found = look_up.ask::<Workspaces>(WORKSPACES, json!({})).await;
    visible(found.map(|found| found.api_token.workspaces))
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
