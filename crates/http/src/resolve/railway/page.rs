//! Relay connections, read to their last page: half a list would hide what an operation reaches.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::ask::{LookUp, NotFound};

/// Pages of one list; far beyond what people have, and a bound for a provider that never ends.
const PAGES_LIMIT: usize = 50;

/// One page.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Page<T> {
    edges: Vec<Edge<T>>,
    page_info: PageInfo,
}

#[derive(Debug, Deserialize)]
struct Edge<T> {
    node: T,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

impl<T: DeserializeOwned> Page<T> {
    /// This page's nodes and those of all following pages. `query` takes `$after` besides
    /// `variables`; `at` is where the list stands in its answer.
    pub(crate) async fn all(
        self,
        look_up: LookUp<'_>,
        query: &str,
        variables: &Value,
        at: &str,
    ) -> Result<Vec<T>, NotFound> {
        let (mut nodes, mut after) = self.taken()?;
        for _ in 0..PAGES_LIMIT {
            let Some(cursor) = after else {
                return Ok(nodes);
            };
            let page: Self = ask_page(look_up, query, variables, &json!(cursor), at).await?;
            let (more, next) = page.taken()?;
            nodes.extend(more);
            after = next;
        }
        Err(NotFound::TooMuch)
    }

    fn taken(self) -> Result<(Vec<T>, Option<String>), NotFound> {
        let nodes = self.edges.into_iter().map(|edge| edge.node).collect();
        match (self.page_info.has_next_page, self.page_info.end_cursor) {
            (false, _) => Ok((nodes, None)),
            (true, Some(cursor)) => Ok((nodes, Some(cursor))),
            (true, None) => Err(NotFound::NotUnderstood(
                "a next page without a cursor".to_owned(),
            )),
        }
    }
}

/// Every node of a list, from its first page on.
pub(crate) async fn ask_all<T: DeserializeOwned>(
    look_up: LookUp<'_>,
    query: &str,
    variables: &Value,
    at: &str,
) -> Result<Vec<T>, NotFound> {
    let first: Page<T> = ask_page(look_up, query, variables, &Value::Null, at).await?;
    first.all(look_up, query, variables, at).await
}

async fn ask_page<T: DeserializeOwned>(
    look_up: LookUp<'_>,
    query: &str,
    variables: &Value,
    after: &Value,
    at: &str,
) -> Result<Page<T>, NotFound> {
    let mut variables = variables.clone();
    if let Some(members) = variables.as_object_mut() {
        members.insert("after".to_owned(), after.clone());
    }
    let mut data: Value = look_up.ask(query, variables).await?;
    let page = data.pointer_mut(at).map(Value::take).unwrap_or_default();
    serde_json::from_value(page).map_err(|error| NotFound::NotUnderstood(error.to_string()))
}
