//! Arguments that are left out, ids that are not there, a provider that does not answer, and another
//! database in the place of the old.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use serde_json::json;
use standin_railway::{Fault, FaultAction, seed};
use tagout_stage::{Agent, Web};
use tagout_tests::documents::{variable_upsert, volume_delete, volume_delete_of};
use tagout_tests::{NOTHING, Scene, Told, rights};

fn staging_agent(scene: &mut Scene) -> Agent {
    let effects = ["write", "disrupt", "destroy"];
    scene
        .agent(Some(&rights(&effects, &["*:*"], &["staging"])))
        .unwrap()
}

#[test]
fn m10_no_environment_means_every_environment() {
    let mut scene = Scene::open().unwrap();
    let before = scene.before().unwrap();
    let agent = staging_agent(&mut scene);
    let document = format!(
        "mutation {{ serviceDelete(id: \"{}\") }}",
        seed::API_SERVICE
    );
    let heard = agent.graphql(&document).unwrap();
    let told = Told {
        heard: &heard,
        code: "HELD",
        resource: &format!("service:{}", seed::API_SERVICE),
        environment: "production",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();
    let hold = heard.hold().unwrap();
    let shown = scene.person.get(&format!("/api/v1/holds/{hold}")).unwrap();
    let places = shown["card"]["targets"][0]["places"].to_string();
    for environment in [seed::PRODUCTION, seed::STAGING] {
        assert!(places.contains(environment), "{places}");
    }
}

/// What the provider does instead of answering the gateway's look-ups.
fn silences() -> Vec<(&'static str, Fault)> {
    let fault = |action| Fault {
        action,
        times: 1000,
        ..Fault::default()
    };
    vec![
        ("503", fault(FaultAction::Status(503))),
        ("hangs up", fault(FaultAction::Drop)),
        ("garbage", fault(FaultAction::Garbage)),
        (
            "too late",
            Fault {
                delay_ms: 60_000,
                ..fault(FaultAction::Answer)
            },
        ),
    ]
}

#[test]
fn m11_what_cannot_be_looked_up_counts_as_production() {
    // At the same time, because one of them takes as long as the gateway's patience.
    std::thread::scope(|scope| {
        for (name, fault) in silences() {
            scope.spawn(move || held_without_an_answer(name, fault));
        }
    });
}

fn held_without_an_answer(name: &str, fault: Fault) {
    let mut scene = Scene::open().unwrap();
    let before = scene.before().unwrap();
    let agent = staging_agent(&mut scene);
    scene.railway.state().inject(fault);
    let heard = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(heard.kind().as_deref(), Some("HELD"), "{name}: {heard:?}");
    let told = Told {
        heard: &heard,
        code: "HELD",
        resource: &format!("volume:{}", seed::POSTGRES_VOLUME),
        environment: "unknown",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();
}

#[test]
fn m11_an_id_that_is_not_there_and_one_that_came_behind_our_back() {
    let mut scene = Scene::open().unwrap();
    let agent = staging_agent(&mut scene);
    // The inventory is known from now on.
    let known = agent.graphql(&volume_delete()).unwrap();
    assert_eq!(known.code().as_deref(), Some("HELD"), "{known:?}");

    let nowhere = "00000000-0000-4000-8000-000000000000";
    let before = scene.before().unwrap();
    let unknown = agent.graphql(&volume_delete_of(nowhere)).unwrap();
    let of_nowhere = format!("volume:{nowhere}");
    let told = Told {
        heard: &unknown,
        code: "HELD",
        resource: &of_nowhere,
        environment: "unknown",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();

    // Somebody makes a volume in production without the gateway.
    let new = made_behind_our_back(&scene);
    let before = scene.before().unwrap();
    let heard = agent.graphql(&volume_delete_of(&new)).unwrap();
    let of_new = format!("volume:{new}");
    let told = Told {
        heard: &heard,
        code: "HELD",
        resource: &of_new,
        // For two seconds after a look at everything, what was not there is taken not to be there.
        environment: "",
    };
    scene
        .evidence(&before, &[told], &NOTHING, &[&agent])
        .unwrap();
}

fn made_behind_our_back(scene: &Scene) -> String {
    let address = scene.railway.url().replace("http://", "");
    let web = Web {
        host: address.clone(),
        address,
    };
    let document = "mutation($i: VolumeCreateInput!) { volumeCreate(input: $i) { id } }";
    let input = json!({"projectId": seed::PROJECT, "environmentId": seed::PRODUCTION,
        "serviceId": seed::API_SERVICE, "mountPath": "/data"});
    let body = json!({"query": document, "variables": {"i": input}}).to_string();
    let token = format!("Bearer {}", seed::ACCOUNT_TOKEN);
    let headers = [
        ("authorization", token.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = web.send("POST", "/graphql/v2", &headers, &body).unwrap();
    let id = answer.json().unwrap()["data"]["volumeCreate"]["id"].clone();
    id.as_str().unwrap().to_owned()
}

#[test]
fn m17_another_database_takes_a_person_and_a_harmless_variable_takes_a_grant() {
    let mut scene = Scene::open().unwrap();
    let agent = staging_agent(&mut scene);
    let before = scene.before().unwrap();
    let url = "postgresql://elsewhere/empty";
    let swapped = agent
        .graphql(&variable_upsert(seed::PRODUCTION, "DATABASE_URL", url))
        .unwrap();
    let told = Told {
        heard: &swapped,
        code: "HELD",
        resource: "variable:DATABASE_URL",
        environment: "production",
    };
    // The rights are for staging only, so even a harmless one in production goes to a person.
    let harmless = variable_upsert(seed::PRODUCTION, "LOG_LEVEL", "debug");
    let held = agent.graphql(&harmless).unwrap();
    let harmless_told = Told {
        heard: &held,
        resource: "variable:LOG_LEVEL",
        ..told
    };
    scene
        .evidence(&before, &[told, harmless_told], &NOTHING, &[&agent])
        .unwrap();

    let another = scene.agent(None).unwrap();
    let write = ["--effect", "write", "--environment", "production"];
    scene.grant(&another, &write).unwrap();
    let passed = another.graphql(&harmless).unwrap();
    assert_eq!(passed.code(), None, "{passed:?}");
    let swap = variable_upsert(seed::PRODUCTION, "DATABASE_URL", url);
    let held = another.graphql(&swap).unwrap();
    assert_eq!(held.code().as_deref(), Some("HELD"), "{held:?}");
    assert_eq!(scene.railway.mutations(), ["variableUpsert"]);
    // The value that was to be set may be a secret: it stays out of the record.
    let exported = scene.gateway.says(&["ledger", "export"]).unwrap();
    assert!(!exported.contains("elsewhere/empty"));
}
