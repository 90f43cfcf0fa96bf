//! Build, deployment and environment logs: a few lines for every deployment.

use serde_json::{Value, json};

use crate::args::Args;
use crate::error::Refusal;
use crate::state::{Deployment, World};

/// The log lines behind a field named `buildLogs`, `deploymentLogs` or `environmentLogs`.
pub(crate) fn lines(world: &World, field: &str, args: Args<'_>) -> Result<Vec<Value>, Refusal> {
    let deployments: Vec<&Deployment> = match args.opt_text("environmentId") {
        Some(id) => {
            world.environment(id)?;
            world
                .deployments
                .values()
                .filter(|d| d.environment_id == id)
                .collect()
        }
        None => vec![world.deployment(args.text("deploymentId")?)?],
    };
    let messages: &[&str] = match field {
        "buildLogs" => &["using cached layers", "image built", "image pushed"],
        _ => &[
            "starting container",
            "listening on port 8080",
            "GET /health 200",
        ],
    };
    let wanted = args.opt_text("filter").unwrap_or_default();
    let lines = deployments
        .iter()
        .flat_map(|d| messages.iter().map(move |m| line(d, m)));
    let matching = lines.filter(|l| l["message"].as_str().is_some_and(|m| m.contains(wanted)));
    Ok(matching
        .take(args.size("limit").unwrap_or(usize::MAX))
        .collect())
}

fn line(deployment: &Deployment, message: &str) -> Value {
    json!({
        "timestamp": deployment.created_at,
        "message": message,
        "severity": "info",
        "attributes": [{ "key": "level", "value": "info" }],
        "tags": {
            "deploymentId": deployment.id,
            "environmentId": deployment.environment_id,
            "projectId": deployment.project_id,
            "serviceId": deployment.service_id,
        },
    })
}

/// The request log of a deployment's edge: one health check.
pub(crate) fn http_lines(deployment: &Deployment) -> Value {
    json!([{
        "timestamp": deployment.created_at, "requestId": deployment.id, "method": "GET",
        "path": "/health", "host": deployment.url.clone().unwrap_or_default(), "httpStatus": 200,
        "clientUa": "health-check", "deploymentId": deployment.id, "deploymentInstanceId": "",
        "downstreamProto": "HTTP/1.1", "upstreamProto": "HTTP/1.1", "edgeRegion": "europe-west4",
        "responseDetails": "", "rxBytes": 64, "txBytes": 2, "srcIp": "192.0.2.1",
        "totalDuration": 3, "upstreamAddress": "", "upstreamErrors": "", "upstreamRqDuration": 2,
    }])
}
