//! What Railway's operations would reach, looked up in a real server.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use standin_railway::{Config, Fault, FaultAction, Running, Standin, seed};
use tagout_core::operation::{Attempt, Operation};
use tagout_core::pipeline::{Adapter as _, Executed, Outcome};
use tagout_core::resolved::{Resolved, Variant};

use crate::harness::{Direct, OneCredential, clearance, pipeline_with, railway, upstream};

fn attempt(query: &str) -> Attempt {
    let body = json!({"query": query}).to_string();
    let text = format!(
        "POST /graphql/v2 HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    Attempt {
        upstream: "railway".parse().unwrap(),
        bytes: Bytes::from(text),
    }
}

async fn resolve(pipeline: &Direct, query: &str) -> Resolved {
    let operation = pipeline.adapter.classify(&attempt(query)).unwrap();
    pipeline.adapter.resolve(operation, &pipeline.errands).await
}

async fn run(pipeline: &Direct, operation: &Operation) -> Outcome {
    let Executed { outcome, .. } = pipeline
        .adapter
        .execute(clearance(operation), operation)
        .await;
    outcome
}

async fn setting() -> (Running, Arc<Direct>) {
    let (standin, gateway) = railway(false).await;
    (standin, gateway.pipeline)
}

fn places(resolved: &Resolved, target: usize) -> Vec<String> {
    resolved.targets[target]
        .places
        .iter()
        .map(|place| place.id.clone())
        .collect()
}

fn count(resolved: &Resolved, of: &str) -> Option<u64> {
    let counts = &resolved.targets[0].counts;
    counts
        .iter()
        .find(|count| count.of == of)
        .map(|count| count.count)
}

fn instances(standin: &Running, volume: &str) -> Vec<String> {
    let instances = standin.state.table("volumeInstances");
    let instances: Vec<Value> = match instances {
        Value::Array(items) => items,
        Value::Object(members) => members.into_iter().map(|(_, value)| value).collect(),
        other => panic!("{other}"),
    };
    let of = instances
        .iter()
        .filter(|instance| instance["volumeId"] == volume);
    let mut environments: Vec<_> = of
        .map(|instance| instance["environmentId"].as_str().unwrap().to_owned())
        .collect();
    environments.sort_unstable();
    environments
}

#[tokio::test]
async fn places_follow_from_ids() {
    let (_standin, pipeline) = setting().await;
    let none: &[&str] = &[];
    for (query, expected) in [
        (
            format!(
                "mutation {{ volumeDelete(volumeId: \"{}\") }}",
                seed::POSTGRES_VOLUME
            ),
            &[seed::PRODUCTION, seed::STAGING][..],
        ),
        (
            format!(
                "mutation {{ volumeDelete(volumeId: \"{}\") }}",
                seed::BLOG_VOLUME
            ),
            &[seed::BLOG_PRODUCTION],
        ),
        (
            "mutation { volumeDelete(volumeId: \"nothing\") }".to_owned(),
            none,
        ),
        // An id of another kind is not a volume.
        (
            format!(
                "mutation {{ volumeDelete(volumeId: \"{}\") }}",
                seed::API_SERVICE
            ),
            none,
        ),
        (
            format!(
                "mutation {{ serviceDelete(id: \"{}\", environmentId: \"{}\") }}",
                seed::BLOG_SERVICE,
                seed::BLOG_PRODUCTION
            ),
            &[seed::BLOG_PRODUCTION],
        ),
        (
            format!(
                "mutation {{ serviceInstanceRedeploy(serviceId: \"{}\", environmentId: \"{}\") }}",
                seed::API_SERVICE,
                seed::STAGING
            ),
            &[seed::STAGING],
        ),
        // An environment of another project, and one that does not exist.
        (
            format!(
                "mutation {{ serviceInstanceRedeploy(serviceId: \"{}\", environmentId: \"{}\") }}",
                seed::API_SERVICE,
                seed::BLOG_PRODUCTION
            ),
            none,
        ),
        (
            format!(
                "mutation {{ serviceInstanceRedeploy(serviceId: \"{}\", environmentId: \"none\") }}",
                seed::API_SERVICE
            ),
            none,
        ),
        (
            format!(
                "mutation {{ projectDelete(id: \"{}\") }}",
                seed::BLOG_PROJECT
            ),
            &[seed::BLOG_PRODUCTION],
        ),
        (
            format!(
                "mutation {{ environmentDelete(id: \"{}\") }}",
                seed::STAGING
            ),
            &[seed::STAGING],
        ),
        (
            format!(
                "mutation {{ deploymentRemove(id: \"{}\") }}",
                seed::STAGING_DEPLOYMENT
            ),
            &[seed::STAGING],
        ),
        (
            "mutation { deploymentRemove(id: \"nothing\") }".to_owned(),
            none,
        ),
        (
            format!(
                "mutation {{ customDomainDelete(id: \"{}\") }}",
                seed::CUSTOM_DOMAIN
            ),
            &[seed::PRODUCTION],
        ),
        (
            format!(
                "mutation {{ serviceDomainDelete(id: \"{}\") }}",
                seed::STAGING_SERVICE_DOMAIN
            ),
            &[seed::STAGING],
        ),
        (
            "mutation { tcpProxyDelete(id: \"nothing\") }".to_owned(),
            none,
        ),
        // A domain of another environment than the one that is named.
        (
            format!(
                "mutation {{ customDomainUpdate(id: \"{}\", environmentId: \"{}\") }}",
                seed::CUSTOM_DOMAIN,
                seed::STAGING
            ),
            none,
        ),
        (
            format!(
                "mutation {{ volumeInstanceBackupDelete(volumeInstanceId: \"{}\", volumeInstanceBackupId: \"{}\") {{ workflowId }} }}",
                seed::PRODUCTION_VOLUME_INSTANCE,
                seed::PRODUCTION_BACKUPS[0]
            ),
            &[seed::PRODUCTION],
        ),
        // A backup of another instance: the request does not say what it seems to say.
        (
            format!(
                "mutation {{ volumeInstanceBackupDelete(volumeInstanceId: \"{}\", volumeInstanceBackupId: \"{}\") {{ workflowId }} }}",
                seed::STAGING_VOLUME_INSTANCE,
                seed::PRODUCTION_BACKUPS[0]
            ),
            none,
        ),
    ] {
        let resolved = resolve(&pipeline, &query).await;
        assert_eq!(places(&resolved, 0), expected, "{query}");
    }
}

#[tokio::test]
async fn what_concerns_the_account_reaches_everything() {
    let (_standin, pipeline) = setting().await;
    let resolved = resolve(&pipeline, "mutation { apiTokenDelete(id: \"x\") }").await;
    let places = places(&resolved, 0);
    for environment in [
        seed::PRODUCTION,
        seed::STAGING,
        seed::PR_ENVIRONMENT,
        seed::BLOG_PRODUCTION,
    ] {
        assert!(
            places.iter().any(|place| place == environment),
            "{places:?}"
        );
    }
    let ephemeral: Vec<_> = resolved.targets[0]
        .places
        .iter()
        .filter(|place| place.ephemeral)
        .collect();
    assert_eq!(ephemeral.len(), 1);
    assert_eq!(ephemeral[0].id, seed::PR_ENVIRONMENT);
}

#[tokio::test]
async fn backups_are_counted_with_what_they_go_with() {
    let (_standin, pipeline) = setting().await;
    for (query, backups) in [
        (
            format!(
                "mutation {{ volumeDelete(volumeId: \"{}\") }}",
                seed::POSTGRES_VOLUME
            ),
            Some(5),
        ),
        (
            format!(
                "mutation {{ environmentDelete(id: \"{}\") }}",
                seed::STAGING
            ),
            Some(1),
        ),
        (
            format!("mutation {{ projectDelete(id: \"{}\") }}", seed::PROJECT),
            Some(5),
        ),
        (
            format!(
                "mutation {{ deploymentRemove(id: \"{}\") }}",
                seed::STAGING_DEPLOYMENT
            ),
            None,
        ),
    ] {
        let resolved = resolve(&pipeline, &query).await;
        assert_eq!(count(&resolved, "backups"), backups, "{query}");
    }
}

fn variant<'a>(resolved: &'a Resolved, place: &str) -> &'a Variant {
    let here = |variant: &&Variant| {
        variant
            .targets
            .iter()
            .flat_map(|target| &target.places)
            .all(|at| at.id == place)
    };
    resolved.variants.iter().find(here).unwrap()
}

#[tokio::test]
async fn a_card_costs_few_look_ups() {
    let (_standin, pipeline) = setting().await;
    let query = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::POSTGRES_VOLUME
    );
    resolve(&pipeline, &query).await;
    let first = pipeline.errands.asked.swap(0, Ordering::SeqCst);
    resolve(&pipeline, &query).await;
    let second = pipeline.errands.asked.load(Ordering::SeqCst);
    // Workspaces, two lists of projects, two projects, the backups; then the backups only.
    assert_eq!((first, second), (6, 1));
}

#[tokio::test]
async fn a_volume_can_be_deleted_in_one_environment_only() {
    let (standin, pipeline) = setting().await;
    let query = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::POSTGRES_VOLUME
    );
    let resolved = resolve(&pipeline, &query).await;
    let titles: Vec<_> = resolved
        .variants
        .iter()
        .map(|variant| variant.title.as_str())
        .collect();
    assert_eq!(
        titles,
        ["delete in production only", "delete in staging only"]
    );
    let staging = variant(&resolved, seed::STAGING);
    assert!(
        staging
            .operation
            .effects
            .iter()
            .any(|on| on.effect == tagout_core::effect::Effect::Destroy)
    );
    assert!(matches!(
        run(&pipeline, &staging.operation).await,
        Outcome::Done(_)
    ));
    assert_eq!(
        instances(&standin, seed::POSTGRES_VOLUME),
        [seed::PRODUCTION]
    );
}

#[tokio::test]
async fn other_variants() {
    let (_standin, pipeline) = setting().await;
    let service = resolve(
        &pipeline,
        &format!(
            "mutation {{ serviceDelete(id: \"{}\") }}",
            seed::API_SERVICE
        ),
    )
    .await;
    assert!(service.variants.len() >= 2, "{:?}", service.variants);
    assert!(
        service
            .variants
            .iter()
            .all(|variant| variant.targets[0].places.len() == 1)
    );
    // The provider deletes a service in every environment that is no fork, whichever of them is named.
    assert!(service.variants.iter().all(|variant| {
        variant
            .operation
            .shown
            .raw()
            .contains("environmentPatchCommit(")
    }));
    let project = resolve(
        &pipeline,
        &format!("mutation {{ projectDelete(id: \"{}\") }}", seed::PROJECT),
    )
    .await;
    assert_eq!(project.variants.len(), 1);
    assert!(
        project.variants[0]
            .operation
            .shown
            .raw()
            .contains("projectScheduleDelete(")
    );
    let two = format!(
        "mutation {{ a: volumeDelete(volumeId: \"{0}\") b: volumeDelete(volumeId: \"{0}\") }}",
        seed::POSTGRES_VOLUME
    );
    assert!(resolve(&pipeline, &two).await.variants.is_empty());
}

#[tokio::test]
async fn what_is_staged_is_shown_and_sent_explicitly() {
    let (standin, pipeline) = setting().await;
    let staged = json!({
        "query": "mutation($e: String!, $i: EnvironmentConfig!) { environmentStageChanges(environmentId: $e, input: $i) { id } }",
        "variables": {"e": seed::STAGING, "i": {"volumes": {seed::POSTGRES_VOLUME: {"isDeleted": true}}}},
    });
    let body = staged.to_string();
    let text = format!(
        "POST /graphql/v2 HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let stage = Attempt {
        upstream: "railway".parse().unwrap(),
        bytes: Bytes::from(text),
    };
    let stage = pipeline.adapter.classify(&stage).unwrap();
    assert!(matches!(run(&pipeline, &stage).await, Outcome::Done(_)));

    let query = format!(
        "mutation {{ c: environmentPatchCommitStaged(environmentId: \"{}\") }}",
        seed::STAGING
    );
    let resolved = resolve(&pipeline, &query).await;
    let shown = resolved.operation.shown.raw();
    assert!(
        shown.contains("environmentPatchCommit(") && shown.contains("isDeleted"),
        "{shown}"
    );
    assert!(!resolved.operation.summary.raw().contains("isDeleted"));
    let destroyed = resolved
        .targets
        .iter()
        .find(|target| target.on.effect == tagout_core::effect::Effect::Destroy);
    let destroyed = destroyed.unwrap();
    assert_eq!(destroyed.on.resource.id(), seed::POSTGRES_VOLUME);
    assert_eq!(destroyed.places[0].id, seed::STAGING);
    assert!(matches!(
        run(&pipeline, &resolved.operation).await,
        Outcome::Done(_)
    ));
    assert_eq!(
        instances(&standin, seed::POSTGRES_VOLUME),
        [seed::PRODUCTION]
    );
    let sent = standin.state.requests();
    assert!(
        sent.iter()
            .all(|request| request.field != "environmentPatchCommitStaged")
    );
}

#[tokio::test]
async fn a_blind_commit_is_never_sent() {
    let (standin, pipeline) = setting().await;
    for query in [
        format!(
            "mutation {{ environmentPatchCommitStaged(environmentId: \"{}\", skipDeploys: true) }}",
            seed::STAGING
        ),
        format!(
            "mutation {{ a: environmentPatchCommitStaged(environmentId: \"{0}\") b: environmentPatchCommitStaged(environmentId: \"{0}\") }}",
            seed::STAGING
        ),
    ] {
        let resolved = resolve(&pipeline, &query).await;
        assert!(
            resolved
                .targets
                .iter()
                .all(|target| target.places.is_empty())
        );
        let outcome = run(&pipeline, &resolved.operation).await;
        assert!(matches!(outcome, Outcome::NotSent(_)), "{outcome:?}");
    }
    let sent = standin.state.requests();
    assert!(
        sent.iter()
            .all(|request| request.field != "environmentPatchCommitStaged")
    );
}

#[tokio::test]
async fn a_new_resource_is_found_and_many_askers_share_one_reading() {
    let (_standin, pipeline) = setting().await;
    let query = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::BLOG_VOLUME
    );
    let asking = (0..20).map(|_| resolve(&pipeline, &query));
    let all = futures_util::future::join_all(asking).await;
    assert!(
        all.iter()
            .all(|resolved| places(resolved, 0) == [seed::BLOG_PRODUCTION])
    );
    // One reading of everything (five look-ups), and the backups for each card.
    let asked = pipeline.errands.asked.load(Ordering::SeqCst);
    assert!(asked <= 6 + 20, "{asked} look-ups");
}

#[tokio::test]
async fn places_can_be_listed_for_a_person_to_label() {
    let (_standin, pipeline) = setting().await;
    let name = "railway".parse().unwrap();
    let places = pipeline
        .adapter
        .places(&name, &pipeline.errands)
        .await
        .unwrap();
    assert_eq!(places.len(), 4);
    assert!(places.iter().all(|place| place.project.is_some()));
    let status = pipeline.adapter.probe(&name, &pipeline.errands).await;
    assert!(status.is_ok(), "{status:?}");
    let other = "other".parse().unwrap();
    assert_eq!(
        pipeline.adapter.places(&other, &pipeline.errands).await,
        None
    );
}

#[tokio::test]
async fn a_provider_that_fails_makes_everything_not_found_and_is_asked_once() {
    let (standin, pipeline) = setting().await;
    let fault = Fault {
        action: FaultAction::Status(503),
        times: 1000,
        ..Fault::default()
    };
    standin.state.inject(fault);
    let query = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::BLOG_VOLUME
    );
    let asking = (0..20).map(|_| resolve(&pipeline, &query));
    let all = futures_util::future::join_all(asking).await;
    assert!(
        all.iter()
            .all(|resolved| resolved.targets[0].places.is_empty())
    );
    let asked = pipeline.errands.asked.load(Ordering::SeqCst);
    assert!(asked <= 3, "{asked} look-ups");
}

#[tokio::test]
async fn any_kind_of_credential_has_its_inventory() {
    let standin = Standin::spawn(Config::default()).await.unwrap();
    for (header, before, secret, seen) in [
        (
            "authorization",
            "Bearer ",
            seed::WORKSPACE_TOKEN,
            &[seed::STAGING][..],
        ),
        (
            "project-access-token",
            "",
            seed::STAGING_PROJECT_TOKEN,
            &[seed::STAGING],
        ),
        ("authorization", "Bearer ", "5f0f4d1e-nobody", &[]),
    ] {
        let url = format!("http://{}", standin.graphql_addr);
        let credential = OneCredential {
            header,
            before,
            secret,
        };
        let pipeline = pipeline_with(
            credential,
            vec![upstream("railway", &url, "railway")],
            false,
        );
        // A project token sees the project, and the backups of its own environment only.
        let query = format!(
            "mutation {{ environmentDelete(id: \"{}\") }}",
            seed::STAGING
        );
        let resolved = resolve(&pipeline, &query).await;
        let places = places(&resolved, 0);
        assert!(
            seen.iter().all(|id| places.iter().any(|place| place == id)),
            "{header} {places:?}"
        );
        assert_eq!(seen.is_empty(), places.is_empty(), "{header} {places:?}");
    }
}

#[tokio::test]
async fn the_environment_of_a_service_delete_narrows_nothing() {
    let (_standin, pipeline) = setting().await;
    let query = format!(
        "mutation {{ serviceDelete(id: \"{}\", environmentId: \"{}\") }}",
        seed::API_SERVICE,
        seed::STAGING
    );
    let resolved = resolve(&pipeline, &query).await;
    let places = places(&resolved, 0);
    assert!(places.contains(&seed::PRODUCTION.to_owned()), "{places:?}");
}

/// A change whose answer holds a secret: the worst that it does is to read.
fn rename_and_read() -> String {
    format!(
        "mutation {{ environmentRename(id: \"{}\", input: {{name: \"renamed\"}}) {{ config(decryptVariables: true) }} }}",
        seed::PR_ENVIRONMENT
    )
}

#[tokio::test]
async fn a_change_that_also_reads_a_secret_is_looked_up() {
    let (_standin, pipeline) = setting().await;
    let resolved = resolve(&pipeline, &rename_and_read()).await;
    assert_eq!(places(&resolved, 0), [seed::PR_ENVIRONMENT]);
}

#[tokio::test]
async fn a_change_that_also_reads_a_secret_is_unknown_without_a_proper_answer() {
    let (standin, pipeline) = setting().await;
    let fault = Fault {
        action: FaultAction::Status(502),
        field: Some("environmentRename".to_owned()),
        after_effect: true,
        ..Fault::default()
    };
    standin.state.inject(fault);
    let operation = pipeline
        .adapter
        .classify(&attempt(&rename_and_read()))
        .unwrap();
    let outcome = run(&pipeline, &operation).await;
    assert!(matches!(outcome, Outcome::Unknown(_)), "{outcome:?}");
}

#[tokio::test]
async fn what_loses_nothing_counts_nothing() {
    let (_standin, pipeline) = setting().await;
    let query = format!(
        "mutation {{ serviceInstanceRedeploy(serviceId: \"{}\", environmentId: \"{}\") }}",
        seed::POSTGRES_SERVICE,
        seed::STAGING
    );
    let resolved = resolve(&pipeline, &query).await;
    assert_eq!(places(&resolved, 0), [seed::STAGING]);
    assert!(resolved.targets[0].counts.is_empty() && resolved.targets[0].facts.is_empty());
}

#[tokio::test]
async fn what_the_agent_just_made_is_found() {
    let (_standin, pipeline) = setting().await;
    let warm = format!(
        "mutation {{ volumeDelete(volumeId: \"{}\") }}",
        seed::BLOG_VOLUME
    );
    resolve(&pipeline, &warm).await;
    let create = format!(
        "mutation {{ volumeCreate(input: {{projectId: \"{}\", environmentId: \"{}\", mountPath: \"/data\"}}) {{ id }} }}",
        seed::PROJECT,
        seed::STAGING
    );
    let create = pipeline.adapter.classify(&attempt(&create)).unwrap();
    let made = pipeline
        .adapter
        .execute(clearance(&create), &create)
        .await
        .reply
        .unwrap();
    let body = made.body.collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let id = answer["data"]["volumeCreate"]["id"].as_str().unwrap();
    let delete = format!("mutation {{ volumeDelete(volumeId: \"{id}\") }}");
    let resolved = resolve(&pipeline, &delete).await;
    assert_eq!(places(&resolved, 0), [seed::STAGING]);
}
