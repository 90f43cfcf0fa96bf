//! An agent tries to approve what it asked for, by every way that it can reach.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use serde_json::{Value, json};
use standin_railway::seed;
use tagout_console::{Access, listed};
use tagout_stage::{Agent, Heard, Web};
use tagout_tests::documents::{variable_upsert, volume_delete, volume_delete_of};
use tagout_tests::{NOTHING, Scene, Told, rights};

fn judge(hold: &str) -> Value {
    json!({"wish": "judge", "holds": [[hold, 0]], "decision": "approve", "reason": null})
}

/// An agent whose deletions are held, and one of them.
fn with_a_hold() -> (Scene, Agent, Heard) {
    let mut scene = Scene::open().unwrap();
    let volumes = rights(&["write", "destroy"], &["volume:*"], &["staging"]);
    let agent = scene.agent(Some(&volumes)).unwrap();
    let held = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(held.code().as_deref(), Some("HELD"), "{held:?}");
    (scene, agent, held)
}

fn still_nothing(scene: &Scene, agent: &Agent, held: &Heard) {
    let again = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(again.code().as_deref(), Some("HELD"), "{again:?}");
    assert_eq!(again.hold(), held.hold());
    let state = scene
        .person
        .get(&format!("/api/v1/holds/{}", held.hold().unwrap()));
    assert_eq!(state.unwrap()["state"], "pending");
    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
}

/// Everything that the console serves, with a real hold in the place of the id.
fn routes(hold: &str) -> Vec<(&'static str, String, Access)> {
    let path = |path: &str| path.replace("{id}", hold);
    listed()
        .into_iter()
        .map(|route| (route.method, path(route.path), route.access))
        .collect()
}

#[test]
fn m41_no_token_no_forged_page_and_no_stolen_cookie_approves() {
    let (mut scene, agent, held) = with_a_hold();
    let before = scene.before().unwrap();
    let hold = held.hold().unwrap();
    let web: Web = scene.person.web().clone();
    let bearer = format!("Bearer {}", agent.token);
    let cookie = scene.person.cookie().unwrap().to_owned();
    let origin = scene.gateway.origin();
    let body = judge(&hold).to_string();
    let json = ("content-type", "application/json");

    for (method, path, access) in routes(&hold) {
        // A token is welcome nowhere, not even beside a session.
        let with_token = [
            ("authorization", bearer.as_str()),
            ("origin", &origin),
            ("cookie", &cookie),
            json,
        ];
        let page = web.send(method, &path, &with_token, &body).unwrap();
        assert!(
            (400..500).contains(&page.status),
            "{method} {path}: {page:?}"
        );
        // Without a session nothing is shown of what is held.
        let page = web
            .send(method, &path, &[("origin", &origin), json], &body)
            .unwrap();
        assert!(
            !page.body.contains("postgres-data"),
            "{method} {path}: {page:?}"
        );
        if access == Access::Person {
            assert!(page.status >= 300, "{method} {path}: {page:?}");
        }
        // A page of somebody else's can't act with the session that the browser sends along.
        if method == "POST" {
            for forged in ["https://evil.example", "null", "http://localhost"] {
                let headers = [("origin", forged), ("cookie", cookie.as_str()), json];
                let page = web.send(method, &path, &headers, &body).unwrap();
                assert!(
                    (400..500).contains(&page.status),
                    "{forged} {method} {path}: {page:?}"
                );
            }
            let page = web
                .send(method, &path, &[("cookie", &cookie), json], &body)
                .unwrap();
            assert!(
                (400..500).contains(&page.status),
                "{method} {path}: {page:?}"
            );
        }
    }
    // With the session and the right origin a ceremony begins; only the passkey ends it.
    let ceremony = scene.person.begin(&judge(&hold)).unwrap();
    for answer in [
        json!({}),
        json!({"signed": null}),
        json!({"approved": true}),
        json!({"signed": {"credential": "", "authenticator_data": "", "client_data": "", "signature": ""}}),
    ] {
        assert!(scene.person.finish(&ceremony, &answer).is_err(), "{answer}");
    }
    still_nothing(&scene, &agent, &held);
    let told = Told {
        heard: &held,
        code: "HELD",
        resource: &format!("volume:{}", seed::POSTGRES_VOLUME),
        environment: "production",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();
}

#[test]
fn m41_an_answer_counts_once_for_what_it_was_made_for_and_for_whom() {
    let (mut scene, agent, held) = with_a_hold();
    let hold = held.hold().unwrap();
    let blog = agent.graphql(&volume_delete_of(seed::BLOG_VOLUME)).unwrap();
    let other = blog.hold().unwrap();

    // An answer that was made for another hold.
    let for_other = scene.person.begin(&judge(&other)).unwrap();
    let for_this = scene.person.begin(&judge(&hold)).unwrap();
    let answer = scene.person.answer(&for_other).unwrap();
    assert!(scene.person.finish(&for_this, &answer).is_err());
    // What has failed once is over, also for the right answer.
    let right = scene.person.answer(&for_this).unwrap();
    assert!(scene.person.finish(&for_this, &right).is_err());
    still_nothing(&scene, &agent, &held);

    // A no is not a yes.
    let deny = json!({"wish": "judge", "holds": [[other, 0]], "decision": "deny", "reason": "no"});
    let denying = scene.person.begin(&deny).unwrap();
    let answer = scene.person.answer(&denying).unwrap();
    scene.person.finish(&denying, &answer).unwrap();
    let approving = scene.person.begin(&judge(&hold)).unwrap();
    assert!(scene.person.finish(&approving, &answer).is_err());
    assert!(scene.person.finish(&denying, &answer).is_err(), "replayed");
    still_nothing(&scene, &agent, &held);
    let denied = agent.graphql(&volume_delete_of(seed::BLOG_VOLUME)).unwrap();
    assert_eq!(denied.code().as_deref(), Some("DENIED"), "{denied:?}");

    // The person approves the one. Another operation, and another agent, gain nothing from it.
    scene.person.approve(&hold).unwrap();
    let edited = volume_delete().replace(seed::POSTGRES_VOLUME, seed::BLOG_VOLUME_INSTANCE);
    let heard = agent.graphql(&edited).unwrap();
    assert_eq!(heard.code().as_deref(), Some("HELD"), "{heard:?}");
    let volumes = rights(&["write", "destroy"], &["volume:*"], &["staging"]);
    let another = scene.agent(Some(&volumes)).unwrap();
    let heard = another.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.code().as_deref(), Some("HELD"), "{heard:?}");
    assert_ne!(heard.hold().unwrap(), hold);
    let url = format!("/.tagout/holds/{hold}");
    let status = another.ask("GET", &url, "backboard.railway.app").unwrap();
    assert_ne!(status.status, 200, "somebody else's hold: {status:?}");

    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
}

#[test]
fn m41_what_was_approved_under_other_rules_has_to_be_asked_for_anew() {
    let mut scene = Scene::open().unwrap();
    let agent = scene.agent(None).unwrap();
    let document = variable_upsert(seed::STAGING, "FEATURE", "on");
    let hold = agent.graphql(&document).unwrap().hold().unwrap();
    scene.person.approve(&hold).unwrap();
    let file = scene.gateway.folder().join("more.cedar");
    let rule = "@id(\"team.none\")\n@reason(\"none\")\nforbid (principal, action == Action::\"emit\", resource);\n";
    std::fs::write(&file, rule).unwrap();
    let propose = ["policy", "propose", &file.display().to_string()];
    scene.accepted(&propose).unwrap();

    let void = agent.graphql(&document).unwrap();
    assert_eq!(void.code().as_deref(), Some("DENIED"), "{void:?}");
    assert!(void.line().contains("policy has changed"), "{void:?}");
    let anew = agent.graphql(&document).unwrap();
    assert_eq!(anew.code().as_deref(), Some("HELD"), "{anew:?}");
    assert_ne!(anew.hold().unwrap(), hold);
    assert_eq!(scene.railway.mutations(), Vec::<String>::new());
    // Under the rules that hold now it passes, once.
    scene.person.approve(&anew.hold().unwrap()).unwrap();
    assert_eq!(agent.graphql(&document).unwrap().code(), None);
    let receipt = agent.graphql(&document).unwrap();
    assert_eq!(receipt.code().as_deref(), Some("DONE"), "{receipt:?}");
    assert_eq!(scene.railway.mutations(), ["variableUpsert"]);
}

#[test]
fn m41_nothing_that_an_agent_says_or_sets_is_consent() {
    let (mut scene, agent, held) = with_a_hold();
    let hold = held.hold().unwrap();
    // The command line.
    for attempt in [
        &["hold", "approve", &hold][..],
        &["approve", &hold],
        &["hold", "show", &hold, "--approve"],
        &["hold", "accept", &hold],
        &["--yes", "hold", "list"],
    ] {
        let output = scene.gateway.command(attempt).unwrap();
        assert_eq!(output.status.code(), Some(2), "{attempt:?}: {output:?}");
    }
    // Words of consent in the request.
    let url = format!("{}/graphql/v2?confirm=true&force=1", agent.gateway);
    let authorization = format!("Authorization: Bearer {}", agent.token);
    let id = seed::POSTGRES_VOLUME;
    let body = json!({"query": format!("mutation {{ volumeDelete(volumeId: \"{id}\") }}"),
        "extensions": {"confirm": true, "approved_by": "Ada"}, "confirm": true});
    let consenting = agent
        .curl(&[
            "-H",
            &authorization,
            "-H",
            "Host: backboard.railway.app",
            "-H",
            "X-Confirm: true",
            "-H",
            "X-Tagout-Approve: yes",
            "-H",
            "X-HTTP-Method-Override: GET",
            "-d",
            &body.to_string(),
            &url,
        ])
        .unwrap();
    let kind = consenting.kind().unwrap_or_default();
    assert!(
        ["HELD", "DENIED"].contains(&kind.as_str()),
        "{consenting:?}"
    );
    let status = format!("/.tagout/holds/{hold}");
    for path in [
        status.as_str(),
        "/.tagout/approve",
        "/.tagout/freeze",
        "/api/v1/ceremonies",
    ] {
        let heard = agent.ask("POST", path, "backboard.railway.app").unwrap();
        assert!(
            heard.status >= 400 || heard.kind().is_some(),
            "{path}: {heard:?}"
        );
    }
    still_nothing(&scene, &agent, &held);

    // The environment of the gateway.
    let wishes = [
        ("TAGOUT_APPROVE", "all"),
        ("TAGOUT_AUTO_APPROVE", "1"),
        ("TAGOUT_MODE", "observe"),
        ("TAGOUT_YES", "1"),
        ("TAGOUT_POLICY", "/dev/null"),
        ("PRISMA_USER_CONSENT_FOR_DANGEROUS_AI_ACTION", "yes"),
    ];
    scene.restart_with(&wishes).unwrap();
    scene.person.sign_in().unwrap();
    still_nothing(&scene, &agent, &held);
    scene.credentials_are_nowhere(&[&agent]).unwrap();
}
