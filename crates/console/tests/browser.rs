//! The console in a real browser: a person enrols, signs in, approves, denies and freezes with passkeys
//! that Chromium's own authenticator makes. Needs Node and Chromium.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use support::desk::{CODE, propose};
use support::samples::{service_delete, volume_delete};
use support::wire::Served;
use tagout_core::environment::Environment;
use tagout_core::hold::HoldState;
use tagout_core::proposal::Change;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// A person at a browser, in a process of its own.
struct Person {
    child: Child,
    commands: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Person {
    fn sit_down() -> Self {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser/person.mjs");
        let mut child = Command::new("node")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let commands = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            commands,
            answers,
        }
    }

    async fn say(&mut self, command: &Value) -> Value {
        let line = format!("{command}\n");
        self.commands.write_all(line.as_bytes()).await.unwrap();
        let answer = self.answers.next_line().await.unwrap().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Does it and must succeed.
    async fn does(&mut self, command: Value) -> Value {
        let answer = self.say(&command).await;
        assert!(answer["error"].is_null(), "{command} {answer}");
        answer["ok"].clone()
    }

    async fn leave(mut self) {
        drop(self.commands);
        let status = self.child.wait().await.unwrap();
        assert!(status.success(), "{status}");
    }
}

/// Where pictures go, if anybody wants to look at them.
async fn pictures(person: &mut Person, url: &str, name: &str) {
    let Some(folder) = std::env::var_os("TAGOUT_PICTURES").map(PathBuf::from) else {
        return;
    };
    for (width, dark) in [(360, false), (1280, false), (1280, true)] {
        let file = format!("{name}-{width}{}.png", if dark { "-dark" } else { "" });
        let path = folder.join(file);
        person
            .does(
                json!({"do": "screenshot", "url": url, "width": width, "dark": dark, "path": path}),
            )
            .await;
    }
}

async fn enrolled(served: &Served) -> Person {
    let mut person = Person::sit_down();
    let url = format!("{}/enrol#code={CODE}", served.origin);
    let at = person
        .does(json!({"do": "enrol", "url": url, "name": "Mara"}))
        .await;
    assert_eq!(at, format!("{}/", served.origin));
    person
}

#[tokio::test]
#[ignore = "needs Node and Chromium; `./dev test` runs it"]
async fn a_person_enrols_signs_in_and_approves() {
    let served = Served::start().await;
    let hold = volume_delete(1);
    let url = format!("{}/holds/{}", served.origin, hold.id);
    served.desk.state().holds.push(hold);
    let mut person = Person::sit_down();
    pictures(&mut person, &format!("{}/enrol", served.origin), "enrol").await;
    person.leave().await;

    let mut person = enrolled(&served).await;
    pictures(&mut person, &format!("{}/", served.origin), "inbox").await;
    pictures(&mut person, &url, "card").await;
    person.does(json!({"do": "evaluate", "expression": "fetch('/api/v1/sign-out', {method: 'POST'}).then((a) => a.status)"})).await;
    let read = person.does(json!({"do": "read", "url": url})).await;
    assert!(!read["text"].as_str().unwrap().contains("postgres-data"));

    let at = person.does(json!({"do": "sign-in"})).await;
    assert_eq!(at, url, "signing in leads back to the card");
    person
        .does(json!({"do": "approve", "url": url, "choice": 1}))
        .await;
    {
        let state = served.desk.state();
        assert_eq!(state.holds[0].state, HoldState::Approved);
        assert_eq!(state.holds[0].chosen().unwrap().title, "delete the volume");
    }
    person.leave().await;
}

#[tokio::test]
#[ignore = "needs Node and Chromium; `./dev test` runs it"]
async fn an_authenticator_that_verifies_nobody_decides_nothing() {
    let served = Served::start().await;
    let hold = volume_delete(1);
    let url = format!("{}/holds/{}", served.origin, hold.id);
    served.desk.state().holds.push(hold);
    let mut person = enrolled(&served).await;
    person.does(json!({"do": "absent"})).await;
    let answer = person.say(&json!({"do": "approve", "url": url})).await;
    let error = answer["error"].as_str().unwrap();
    assert!(error.contains("nothing was decided"), "{error}");
    assert_eq!(served.desk.state().holds[0].state, HoldState::Pending);
    person.does(json!({"do": "present"})).await;
    person
        .does(json!({"do": "deny", "url": url, "reason": "use staging"}))
        .await;
    {
        let state = served.desk.state();
        assert_eq!(state.holds[0].state, HoldState::Denied);
        assert_eq!(state.told, ["use staging"]);
    }
    person.leave().await;
}

#[tokio::test]
#[ignore = "needs Node and Chromium; `./dev test` runs it"]
async fn six_on_one_card_five_approved_one_denied() {
    let served = Served::start().await;
    let names = [
        "shop-old",
        "shop-tmp",
        "blog-2019",
        "shop",
        "landing-b",
        "demo-1",
    ];
    let holds: Vec<_> = (1..)
        .zip(names)
        .map(|(n, name)| service_delete(n, name))
        .collect();
    let ids: Vec<_> = holds.iter().map(|hold| hold.id.to_string()).collect();
    let live = ids[3].clone();
    let dead: Vec<_> = ids.iter().filter(|id| **id != live).cloned().collect();
    served.desk.state().holds.extend(holds);
    let url = format!("{}/holds/judge?ids={}", served.origin, ids.join(","));

    let mut person = enrolled(&served).await;
    pictures(&mut person, &format!("{}/", served.origin), "inbox-six").await;
    pictures(&mut person, &url, "joint").await;
    let at = person
        .does(json!({"do": "judge", "url": url, "decision": "approve", "tick": dead}))
        .await;
    assert_eq!(at, format!("{}/holds/judge?ids={live}", served.origin));
    person.does(json!({"do": "judge", "decision": "deny", "tick": [live], "reason": "that one is live"})).await;
    {
        let state = served.desk.state();
        for hold in &state.holds {
            let expected = if hold.id.as_str() == live {
                HoldState::Denied
            } else {
                HoldState::Approved
            };
            assert_eq!(hold.state, expected, "{}", hold.card.headline);
        }
    }
    person.leave().await;
}

#[tokio::test]
#[ignore = "needs Node and Chromium; `./dev test` runs it"]
async fn proposals_and_freeze() {
    let served = Served::start().await;
    let label = Change::Label {
        upstream: support::samples::railway(),
        place: "91aa77d0".into(),
        name: "staging".into(),
        environment: Environment::Staging,
    };
    let id = propose(&mut served.desk.state(), label);
    let mut person = enrolled(&served).await;
    let url = format!("{}/proposals/{id}", served.origin);
    pictures(&mut person, &url, "proposal").await;
    person.does(json!({"do": "accept", "url": url})).await;
    assert!(served.desk.state().proposals.is_empty());

    let at = person
        .does(json!({"do": "add-passkey", "url": format!("{}/passkeys", served.origin)}))
        .await;
    assert!(at.as_str().unwrap().contains("/proposals/prop_"), "{at}");
    person.does(json!({"do": "refuse"})).await;

    let home = format!("{}/", served.origin);
    person
        .does(json!({"do": "freeze", "url": home, "reason": "look at this first"}))
        .await;
    assert_eq!(served.desk.state().told, ["look at this first"]);
    pictures(&mut person, &home, "frozen").await;
    person.leave().await;
}

/// What the bar on top says, once it says something.
const NEWS: &str = "new Promise((done) => { const news = document.getElementById('news'); \
    const look = () => news.textContent && done(news.textContent); look(); \
    new MutationObserver(look).observe(news, {childList: true}); })";

/// When, in milliseconds after the page began to load, the last button of a card can be pressed.
const ARMED: &str = "new Promise((done) => { const [button] = \
    [...document.querySelectorAll('form[data-ceremony] button')].slice(-1); \
    const look = () => button.disabled ? setTimeout(look, 5) : done(performance.now()); look(); })";

#[tokio::test]
#[ignore = "needs Node and Chromium; `./dev test` runs it"]
async fn news_come_as_a_bar_and_take_the_yes_away() {
    let served = Served::start().await;
    let mut person = enrolled(&served).await;
    let home = format!("{}/?again", served.origin);
    person.does(json!({"do": "read", "url": home})).await;
    let hold = volume_delete(1);
    let url = format!("{}/holds/{}", served.origin, hold.id);
    served.desk.state().holds.push(hold);
    let news = person
        .does(json!({"do": "evaluate", "expression": NEWS}))
        .await;
    assert!(
        news.as_str().unwrap().contains("Something changed"),
        "{news}"
    );

    let armed = person
        .does(json!({"do": "evaluate", "url": url, "expression": ARMED}))
        .await;
    assert!(armed.as_f64().unwrap() >= 600.0, "{armed}");
    served.desk.state().holds[0]
        .card
        .notices
        .push("solo".into());
    person
        .does(json!({"do": "evaluate", "expression": NEWS}))
        .await;
    let pressable =
        "[...document.querySelectorAll('form[data-ceremony] button')].map((b) => !b.disabled)";
    let pressable = person
        .does(json!({"do": "evaluate", "expression": pressable}))
        .await;
    assert_eq!(
        pressable,
        json!([true, false, false]),
        "only the no is left"
    );
    person.leave().await;
}
