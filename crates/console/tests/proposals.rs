//! Proposals: each kind of change is said in words and shown whole, and only a passkey settles it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails here fails the test"
)]

mod support;

use serde_json::json;
use tagout_core::canonical::canonical_text;
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::{AuthenticatorId, ConnectionId, FreezeId, GrantId, PersonId};
use tagout_core::proposal::{Change, Upstream};
use tagout_core::rights::Rights;
use tagout_core::verdict::Mode;

use support::desk::propose;
use support::person::Person;
use support::samples::railway;
use support::wire::Served;

fn upstream(mode: Mode) -> Change {
    Change::Upstream(Upstream {
        name: railway(),
        url: "https://backboard.example".into(),
        aliases: vec!["backboard-old.example".into()],
        pack: "railway".into(),
        credential: "env:RAILWAY_TOKEN".into(),
        header: "authorization: Bearer".into(),
        ca_file: None,
        ourselves: Vec::new(),
        mode,
    })
}

fn label(name: &str, environment: Environment) -> Change {
    Change::Label {
        upstream: railway(),
        place: "91aa77d0".into(),
        name: name.into(),
        environment,
    }
}

fn connect(agent: &str) -> Change {
    Change::Connect {
        id: ConnectionId::from_bits([7; 16]),
        agent: agent.into(),
        workspace: "pocket-os".into(),
        rights: Rights::standing(),
        budget: Budget::default(),
    }
}

fn grant() -> Change {
    Change::OpenGrant {
        id: GrantId::from_bits([9; 16]),
        connection: ConnectionId::from_bits([7; 16]),
        parent: None,
        task: "fix the credential mismatch".into(),
        rights: Rights::standing(),
        budget: Budget([(Effect::Destroy, 3)].into()),
        life_ms: 8 * 3_600_000,
    }
}

/// Every kind of change, with what its page must say.
fn every_kind() -> Vec<(Change, Vec<&'static str>)> {
    let policies = Change::Policies {
        files: vec![(
            "mine.cedar".into(),
            "permit (principal,\n  action, resource);".into(),
        )],
    };
    let authenticator = Change::Authenticator {
        id: AuthenticatorId::from_bits([1; 16]),
        person: PersonId::from_bits([2; 16]),
        name: "Jon".into(),
        credential: "Y3JlZA".into(),
        public_key: "pQECAyYg".into(),
    };
    let freeze = FreezeId::from_bits([3; 16]);
    vec![
        (
            connect("cursor"),
            vec!["Connect agent", "cursor", "pocket-os", "every upstream"],
        ),
        (
            grant(),
            vec!["Grant for the task", "8 h", "destroy ≤ <strong>3"],
        ),
        (
            label("staging", Environment::Staging),
            vec!["no longer guarded as production", "91aa77d0"],
        ),
        (
            label("main", Environment::Production),
            vec!["guarded by the rules of production"],
        ),
        (
            upstream(Mode::Guard),
            vec![
                "https://backboard.example",
                "backboard-old.example",
                "env:RAILWAY_TOKEN",
            ],
        ),
        (upstream(Mode::Observe), vec!["NOTHING IS HELD", "observe"]),
        (
            policies,
            vec![
                "mine.cedar",
                "permit (principal,</code>",
                "action, resource);",
            ],
        ),
        (
            Change::Thaw { freeze },
            vec!["End the freeze", "what is scheduled runs"],
        ),
        (authenticator, vec!["A passkey for", "Jon", "pQECAyYg"]),
    ]
}

#[tokio::test]
async fn each_kind_is_said_in_words_and_shown_whole() {
    let served = Served::start().await;
    let person = Person::enrolled(&served).await;
    for (change, said) in every_kind() {
        let id = propose(&mut served.desk.state(), change.clone());
        let page = served
            .get(&format!("/proposals/{id}"), &person.cookie)
            .await
            .body;
        for part in said {
            assert!(page.contains(part), "{part} {page}");
        }
        let whole = canonical_text(&change).replace('"', "&quot;");
        if !whole.contains('\\') {
            assert!(page.contains(&whole), "{whole}");
        }
        assert!(page.contains(&change.digest().short()));
        let (refuse, accept) = (page.find(">Refuse<"), page.find(">Accept this change<"));
        assert!(refuse.unwrap() < accept.unwrap());
    }
    let inbox = served.get("/", &person.cookie).await.body;
    assert_eq!(
        inbox.matches("href=\"/proposals/").count(),
        every_kind().len()
    );
}

#[tokio::test]
async fn a_passkey_settles_it_and_nothing_else() {
    let served = Served::start().await;
    let mut person = Person::enrolled(&served).await;
    for decision in ["approve", "deny"] {
        let id = propose(&mut served.desk.state(), connect("cursor"));
        let wish = json!({"wish": "settle", "proposal": id, "decision": decision});
        let signed_out = served.post("/api/v1/ceremonies", "", &wish).await;
        assert_eq!(signed_out.status, 401);
        let answer = person.perform(&served, &wish).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(served.desk.state().proposals.is_empty());
    }
}

#[tokio::test]
async fn another_passkey_is_only_proposed() {
    let served = Served::start().await;
    let mut person = Person::enrolled(&served).await;
    let wish = json!({"wish": "add_authenticator"});
    let answer = person.perform(&served, &wish).await;
    let id = answer.json()["proposal"][0].as_str().unwrap().to_owned();
    let page = served
        .get(&format!("/proposals/{id}"), &person.cookie)
        .await
        .body;
    assert!(page.contains("A passkey for"), "{page}");
    assert_eq!(served.desk.state().keys.len(), 1);
}

#[tokio::test]
async fn what_is_too_long_to_read_is_not_accepted_here() {
    let served = Served::start().await;
    let person = Person::enrolled(&served).await;
    let files = vec![("mine.cedar".to_owned(), "// x\n".repeat(60_000))];
    let id = propose(&mut served.desk.state(), Change::Policies { files });
    let page = served
        .get(&format!("/proposals/{id}"), &person.cookie)
        .await
        .body;
    assert!(!page.contains("Accept this change"));
    assert!(page.contains(">Refuse<"));
}

#[tokio::test]
async fn hostile_proposals_stay_text() {
    let served = Served::start().await;
    let person = Person::enrolled(&served).await;
    for text in [
        "<script>alert(1)</script>",
        "\u{202e}x",
        "\"><img src=x>",
        "a\u{1b}[2J",
    ] {
        for change in [connect(text), label(text, Environment::Unknown)] {
            let id = propose(&mut served.desk.state(), change);
            for path in [format!("/proposals/{id}"), "/".to_owned()] {
                let page = served.get(&path, &person.cookie).await.body;
                let main = page.split("<main").nth(1).unwrap();
                assert!(
                    !main.contains("<script") && !main.contains("<img"),
                    "{text:?}"
                );
                assert!(!page.contains(['\u{202e}', '\u{1b}']), "{text:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_frozen_gateway_says_so_and_offers_only_a_proposal() {
    let served = Served::start().await;
    let person = Person::enrolled(&served).await;
    served
        .submit("/freeze", &person.cookie, "reason=look+first")
        .await;
    assert_eq!(served.desk.state().told, ["look first"]);
    let page = served.get("/", &person.cookie).await.body;
    let freeze = page.split("name=\"freeze\" value=\"").nth(1).unwrap();
    let freeze = freeze.split('"').next().unwrap();
    let answer = served
        .submit("/thaw", &person.cookie, &format!("freeze={freeze}"))
        .await;
    assert!(
        answer
            .header("location")
            .unwrap()
            .starts_with("/proposals/prop_")
    );
    let state = served.desk.state();
    assert!(state.frozen.is_some() && state.proposals.len() == 1);
}
