//! Railway's API through the gateway.

use std::sync::atomic::Ordering;

use serde_json::json;
use standin_railway::{Fault, FaultAction, seed};
use tagout_core::pipeline::Outcome;

use crate::harness::{Gateway, Got, TOKEN, curl, railway};

/// The published form of the incident: the old host, no content type, an inline id.
fn incident(volume: &str) -> String {
    format!(r#"{{"query":"mutation {{ volumeDelete(volumeId: \"{volume}\") }}"}}"#)
}

async fn ask(gateway: &Gateway, body: &str) -> Got {
    let url = format!("http://{}/railway/graphql/v2", gateway.address);
    let token = format!("Authorization: Bearer {TOKEN}");
    curl(&[
        "-X",
        "POST",
        &url,
        "-H",
        &token,
        "-H",
        "Content-Type: application/json",
        "-d",
        body,
    ])
    .await
}

#[tokio::test]
async fn the_incident_is_held_with_everything_it_would_reach() {
    let (standin, gateway) = railway(false).await;
    let resolve = format!("backboard.railway.app:{}:127.0.0.1", gateway.address.port());
    let url = format!(
        "http://backboard.railway.app:{}/graphql/v2",
        gateway.address.port()
    );
    let token = format!("Authorization: Bearer {TOKEN}");
    let body = incident(seed::POSTGRES_VOLUME);
    let got = curl(&[
        "--resolve",
        &resolve,
        "-X",
        "POST",
        &url,
        "-H",
        &token,
        "-d",
        &body,
    ])
    .await;
    assert_eq!(got.status, 200, "{got:?}");
    let error = &got.json()["errors"][0];
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .starts_with("HELD by tagout (hold_"),
        "{error}"
    );
    assert_eq!(error["extensions"]["code"], "HELD");
    let status = error["extensions"]["status_url"]
        .as_str()
        .unwrap()
        .to_owned();
    let told = curl(&["--resolve", &resolve, &status, "-H", &token]).await;
    assert_eq!(
        (told.status, told.json()["state"].as_str()),
        (200, Some("pending"))
    );

    let held = gateway.pipeline.held.lock().unwrap();
    let target = &held[0].targets[0];
    let places: Vec<_> = target
        .places
        .iter()
        .map(|place| place.id.as_str())
        .collect();
    assert_eq!(places, [seed::PRODUCTION, seed::STAGING]);
    assert_eq!(target.name.as_ref().unwrap().raw(), "postgres-data");
    let count = |of: &str| {
        target
            .counts
            .iter()
            .find(|count| count.of == of)
            .unwrap()
            .count
    };
    assert_eq!((count("instances"), count("backups")), (2, 5));
    assert!(count("bytes") > 4_000_000_000);
    drop(held);
    assert!(
        standin
            .state
            .requests()
            .iter()
            .all(|record| !record.changed)
    );
}

#[tokio::test]
async fn reads_pass_without_a_look_up_and_without_secrets() {
    let (_standin, gateway) = railway(false).await;
    let query = json!({"query": "query($p: String!, $e: String!) { v: variables(projectId: $p, environmentId: $e) project(id: $p) { name } }",
        "variables": {"p": seed::PROJECT, "e": seed::PRODUCTION}});
    let got = ask(&gateway, &query.to_string()).await;
    assert_eq!(got.status, 200, "{got:?}");
    assert_eq!(got.json()["data"]["project"]["name"], "booking-app");
    assert!(got.body.contains("«redacted by tagout»"), "{}", got.body);
    for secret in seed::SECRETS {
        assert!(!got.body.contains(secret), "{}", got.body);
    }
    assert_eq!(gateway.pipeline.errands.asked.load(Ordering::SeqCst), 0);
    assert!(matches!(
        gateway.pipeline.outcomes.lock().unwrap()[..],
        [Outcome::Done(_)]
    ));
}

#[tokio::test]
async fn an_effect_says_what_became_of_it() {
    let (standin, gateway) = railway(true).await;
    let done = ask(&gateway, &incident(seed::BLOG_VOLUME)).await;
    assert_eq!(done.json(), json!({"data": {"volumeDelete": true}}));
    let failed = ask(&gateway, &incident("3d2c42fb-0000-0000-0000-000000000000")).await;
    assert!(
        failed.json()["errors"][0]["message"].is_string(),
        "{failed:?}"
    );
    let outcomes = gateway.pipeline.outcomes.lock().unwrap();
    assert!(
        matches!(outcomes[..], [Outcome::Done(_), Outcome::Failed(_)]),
        "{outcomes:?}"
    );
    let deletes = standin
        .state
        .requests()
        .into_iter()
        .filter(|record| record.changed)
        .count();
    assert_eq!(deletes, 1);
}

#[tokio::test]
async fn an_echoed_credential_is_not_in_what_became_of_it() {
    let (_standin, gateway) = railway(true).await;
    let got = ask(&gateway, &incident(seed::ACCOUNT_TOKEN)).await;
    assert!(!got.body.contains(seed::ACCOUNT_TOKEN), "{got:?}");
    let outcomes = gateway.pipeline.outcomes.lock().unwrap();
    let [Outcome::Failed(why)] = &outcomes[..] else {
        panic!("{outcomes:?}")
    };
    assert!(!why.contains(seed::ACCOUNT_TOKEN), "{why}");
}

#[tokio::test]
async fn what_is_not_there_has_no_places_and_is_not_asked_for_again_and_again() {
    let (_standin, gateway) = railway(false).await;
    for index in 0..5 {
        let got = ask(
            &gateway,
            &incident(&format!("3d2c42fb-0000-0000-0000-00000000000{index}")),
        )
        .await;
        assert_eq!(got.json()["errors"][0]["extensions"]["code"], "HELD");
    }
    let held = gateway.pipeline.held.lock().unwrap();
    assert!(
        held.iter()
            .all(|resolved| resolved.targets[0].places.is_empty())
    );
    let asked = gateway.pipeline.errands.asked.load(Ordering::SeqCst);
    // One reading of everything: workspaces, two lists of projects, two projects.
    assert!(asked <= 6, "{asked} look-ups");
}

#[tokio::test]
async fn without_leave_to_look_nothing_is_found() {
    let (_standin, gateway) = railway(false).await;
    gateway.pipeline.errands.limit.store(0, Ordering::SeqCst);
    ask(&gateway, &incident(seed::POSTGRES_VOLUME)).await;
    let held = gateway.pipeline.held.lock().unwrap();
    assert!(held[0].targets[0].places.is_empty());
}

#[tokio::test]
async fn an_effect_without_a_proper_answer_is_unknown() {
    for action in [
        FaultAction::Drop,
        FaultAction::Status(502),
        FaultAction::Garbage,
    ] {
        let (standin, gateway) = railway(true).await;
        let field = Some("volumeDelete".to_owned());
        standin.state.inject(Fault {
            action: action.clone(),
            field,
            after_effect: true,
            ..Fault::default()
        });
        ask(&gateway, &incident(seed::BLOG_VOLUME)).await;
        let outcomes = gateway.pipeline.outcomes.lock().unwrap();
        assert!(
            matches!(outcomes[..], [Outcome::Unknown(_)]),
            "{action:?} {outcomes:?}"
        );
        let sent = standin
            .state
            .requests()
            .into_iter()
            .filter(|request| request.field == "volumeDelete");
        assert_eq!(sent.count(), 1, "{action:?}");
    }
}

#[tokio::test]
async fn an_answer_whose_secrets_cannot_be_taken_out_is_withheld() {
    let (standin, gateway) = railway(false).await;
    standin.state.inject(Fault {
        action: FaultAction::Garbage,
        ..Fault::default()
    });
    let query = format!(
        r#"{{"query":"{{ variables(projectId: \"{}\", environmentId: \"{}\") }}"}}"#,
        seed::PROJECT,
        seed::PRODUCTION
    );
    let got = ask(&gateway, &query).await;
    let message = got.json()["errors"][0]["message"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(message.contains("its answer is withheld"), "{got:?}");
}

#[tokio::test]
async fn a_batch_gets_a_list() {
    let (_standin, gateway) = railway(false).await;
    let delete = incident(seed::POSTGRES_VOLUME);
    let got = ask(
        &gateway,
        &format!(r#"[{{"query":"{{ me {{ id }} }}"}},{delete}]"#),
    )
    .await;
    let answers = got.json();
    assert_eq!(answers.as_array().map(Vec::len), Some(2), "{got:?}");
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "HELD");
}
