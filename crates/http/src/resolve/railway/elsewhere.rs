//! What the inventory does not keep, asked for when it is needed: deployments, domains, public ports.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::ask::LookUp;
use super::inventory::Inventory;

/// Services in environments that one request asks about.
const PAIRS_PER_REQUEST: usize = 25;

/// Services in environments that are asked about at all; with more, a domain is not found.
const PAIRS_LIMIT: usize = 200;

const DEPLOYMENT: &str = "query tagoutDeployment($id: String!) {
  deployment(id: $id) { environmentId serviceId status }
}";

/// Where something is that belongs to a service in an environment.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Found {
    #[serde(default)]
    id: String,
    pub(crate) environment_id: String,
    pub(crate) service_id: Option<String>,
    /// Its own name, where it has one.
    #[serde(default)]
    pub(crate) domain: Option<String>,
    /// How it stands, where that is known.
    #[serde(default)]
    pub(crate) status: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    deployment: Found,
}

/// The domains of one service in one environment.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Domains {
    custom_domains: Vec<Found>,
    service_domains: Vec<Found>,
}

/// A service in an environment of a project.
struct Pair<'a> {
    project_id: &'a str,
    environment_id: &'a str,
    service_id: &'a str,
}

/// Whether this is a kind that is looked for here.
pub(crate) fn is_kept(kind: &str) -> bool {
    matches!(
        kind,
        "deployment" | "custom_domain" | "service_domain" | "tcp_proxy"
    )
}

/// Looks for one thing by its kind and id.
pub(crate) async fn find(
    look_up: LookUp<'_>,
    inventory: &Inventory,
    kind: &str,
    id: &str,
) -> Option<Found> {
    if kind == "deployment" {
        let answer = look_up.ask::<Answer>(DEPLOYMENT, json!({"id": id})).await;
        return answer.ok().map(|answer| answer.deployment);
    }
    let pairs = pairs(inventory);
    if pairs.len() > PAIRS_LIMIT {
        return None;
    }
    for pairs in pairs.chunks(PAIRS_PER_REQUEST) {
        let found = match kind {
            "tcp_proxy" => tcp_proxies(look_up, pairs).await?,
            _ => domains(look_up, pairs).await?,
        };
        if let Some(found) = found.into_iter().find(|found| found.id == id) {
            return Some(found);
        }
    }
    None
}

fn pairs(inventory: &Inventory) -> Vec<Pair<'_>> {
    let mut pairs = Vec::new();
    for project in inventory.projects() {
        for service in &project.services {
            pairs.extend(service.environment_ids.iter().map(|environment_id| Pair {
                project_id: &project.id,
                environment_id,
                service_id: &service.id,
            }));
        }
    }
    pairs
}

async fn domains(look_up: LookUp<'_>, pairs: &[Pair<'_>]) -> Option<Vec<Found>> {
    const BELOW: &str = "customDomains { id domain environmentId serviceId } serviceDomains { id domain environmentId serviceId }";
    let (query, variables) = request(pairs, |index| {
        format!(
            "domains(projectId: $p{index}, environmentId: $e{index}, serviceId: $s{index}) {{ {BELOW} }}"
        )
    });
    let lists: BTreeMap<String, Domains> = look_up.ask(&query, variables).await.ok()?;
    let both = lists
        .into_values()
        .map(|list| [list.custom_domains, list.service_domains].concat());
    Some(both.flatten().collect())
}

async fn tcp_proxies(look_up: LookUp<'_>, pairs: &[Pair<'_>]) -> Option<Vec<Found>> {
    const BELOW: &str = "id domain environmentId serviceId";
    let (query, variables) = request(pairs, |index| {
        format!("tcpProxies(environmentId: $e{index}, serviceId: $s{index}) {{ {BELOW} }}")
    });
    let lists: BTreeMap<String, Vec<Found>> = look_up.ask(&query, variables).await.ok()?;
    Some(lists.into_values().flatten().collect())
}

/// One aliased field for each pair, with its ids as variables.
fn request(pairs: &[Pair<'_>], field: impl Fn(usize) -> String) -> (String, Value) {
    let (mut fields, mut variables) = (String::new(), Map::new());
    for (index, pair) in pairs.iter().enumerate() {
        // Writing to a string can't fail.
        let _ = write!(fields, "f{index}: {} ", field(index));
        let ids = [
            ("p", pair.project_id),
            ("e", pair.environment_id),
            ("s", pair.service_id),
        ];
        variables.extend(ids.map(|(name, id)| (format!("{name}{index}"), Value::from(id))));
    }
    // Only variables that are used may be declared.
    variables.retain(|name, _| {
        fields.contains(&format!("${name},")) || fields.contains(&format!("${name})"))
    });
    let parameters: Vec<String> = variables
        .keys()
        .map(|name| format!("${name}: String!"))
        .collect();
    (
        format!(
            "query tagoutWhere({}) {{ {fields} }}",
            parameters.join(", ")
        ),
        Value::Object(variables),
    )
}
