//! A second person joins by invitation, and is not at once the second of two signers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use serde_json::{Value, json};
use standin_railway::seed;
use tagout_stage::Person;
use tagout_tests::Scene;

fn mutation(field: &str, id: &str) -> String {
    format!("mutation {{ {field}({id}) }}")
}

#[test]
fn an_invited_person_counts_once_accepted_and_not_at_once_as_the_second_of_two() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let invitation = scene
        .person
        .post("/api/v1/invitations", &json!({}))
        .unwrap();
    let link = invitation["link"].as_str().unwrap();
    let code = link.split("code=").nth(1).unwrap().to_owned();

    let mut grace = Person::at(&scene.gateway.origin()).unwrap();
    let proposal = grace.join(&code, "Grace").unwrap();
    assert!(grace.sign_in().is_err(), "an accepted proposal comes first");
    let mut again = Person::at(&scene.gateway.origin()).unwrap();
    assert!(
        again.join(&code, "Mallory").is_err(),
        "an invitation is for one"
    );
    scene.person.accept(&proposal).unwrap();
    grace.sign_in().unwrap();

    // She can answer what takes one person.
    let document = mutation(
        "volumeDelete",
        &format!("volumeId: \"{}\"", seed::BLOG_VOLUME),
    );
    let hold = agent.graphql(&document).unwrap().hold().unwrap();
    grace.approve(&hold).unwrap();
    let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
    assert_eq!(shown["state"], "scheduled");

    // What takes two does not take her yet.
    let document = mutation("projectDelete", &format!("id: \"{}\"", seed::PROJECT));
    let hold = agent.graphql(&document).unwrap().hold().unwrap();
    scene.person.approve(&hold).unwrap();
    let refused = grace.approve(&hold).unwrap_err().to_string();
    assert!(refused.contains("twelve hours"), "{refused}");
    let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
    assert_eq!(shown["state"], "pending");
    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
    let kinds: Vec<Value> = scene.gateway.ledger().unwrap();
    assert!(kinds.iter().any(|leaf| leaf["type"] == "settled"));
}
