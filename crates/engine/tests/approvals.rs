//! Approvals that are not what they should be: each is refused, and nothing is sent.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod world;

use rusqlite::Connection;
use tagout_authenticator::Bend;
use tagout_core::approval::Decision;
use tagout_core::card::Hold;
use tagout_core::desk::{Desk as _, DeskError, PasskeyAnswer, Wish};
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::HoldId;
use tagout_core::pipeline::Caller;
use tagout_core::proposal::Change;
use tagout_core::refusal::RefusalKind;
use world::{
    HOUR_MS, Plan, Player, World, act, destroy_in_production, everything, write_in_staging,
};

async fn held(world: &World, ann: &mut Player) -> (Caller, HoldId) {
    let agent = world.connect(ann, everything()).await;
    let hold = world.held(&agent, &destroy_in_production("v1")).await;
    (agent, hold)
}

/// Asks again, and expects a void approval.
async fn is_void(world: &World, agent: &Caller, hold: &HoldId, why: &str) {
    let refusal = world.refused(agent, &destroy_in_production("v1")).await;
    assert!(refusal.line.contains(why), "{}", refusal.line);
    assert_eq!(world.state(hold).await, "void");
    assert_eq!(world.upstream.count(), 0);
}

/// Changes a hold behind the engine's back, as somebody would who can write the database.
fn tamper(world: &World, hold: &HoldId, column: &str, change: impl Fn(&str) -> String) {
    let db = Connection::open(world.folder.join("tagout.sqlite")).unwrap();
    let (table, key) = match column {
        "body" => ("hold_bodies", "hold"),
        _ => ("holds", "id"),
    };
    let read = format!("SELECT {column} FROM {table} WHERE {key} = ?1");
    let text: String = db
        .query_row(&read, [hold.as_str()], |row| row.get(0))
        .unwrap();
    let changed = change(&text);
    assert_ne!(changed, text);
    let write = format!("UPDATE {table} SET {column} = ?2 WHERE {key} = ?1");
    db.execute(&write, [hold.as_str(), &changed]).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceremony_counts_once() {
    let (world, mut ann) = World::furnished().await;
    let (_, hold) = held(&world, &mut ann).await;
    let wish = || Player::judgement(&hold, 0, Decision::Approve);
    let ceremony = ann.begin(&world, wish()).await.unwrap();
    let answer = ann.answer(&ceremony);
    world
        .engine
        .finish(&ceremony.id, answer.clone())
        .await
        .unwrap();
    let again = world.engine.finish(&ceremony.id, answer.clone()).await;
    assert_eq!(again, Err(DeskError::CeremonyOver));
    // The same signature in another ceremony is for another challenge.
    let other = world
        .held(
            &world.connect(&mut ann, everything()).await,
            &destroy_in_production("v1"),
        )
        .await;
    let next = Player::judgement(&other, 0, Decision::Approve);
    let ceremony = ann.begin(&world, next).await.unwrap();
    let replayed = world.engine.finish(&ceremony.id, answer).await;
    assert!(
        matches!(replayed, Err(DeskError::Passkey(_))),
        "{replayed:?}"
    );
    assert_eq!(world.state(&other).await, "pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ceremony_is_for_its_purpose_its_person_and_its_time() {
    let (world, mut ann) = World::furnished().await;
    let mut bob = ann.bring(&world, "Bob", 2).await;
    let (_, hold) = held(&world, &mut ann).await;
    let wish = || Player::judgement(&hold, 0, Decision::Approve);

    let signed_out = world.engine.begin(None, wish()).await;
    assert_eq!(signed_out, Err(DeskError::SignedOut));

    let ceremony = ann.begin(&world, wish()).await.unwrap();
    let theirs = bob.answer(&ceremony);
    assert!(world.engine.finish(&ceremony.id, theirs).await.is_err());

    let sign_in = ann.begin(&world, Wish::SignIn).await.unwrap();
    let for_sign_in = ann.answer(&sign_in);
    let ceremony = ann.begin(&world, wish()).await.unwrap();
    let wrong = world.engine.finish(&ceremony.id, for_sign_in).await;
    assert!(matches!(wrong, Err(DeskError::Passkey(_))), "{wrong:?}");

    let deny = Player::judgement(&hold, 0, Decision::Deny);
    let denial = ann.begin(&world, deny).await.unwrap();
    let no = ann.answer(&denial);
    let ceremony = ann.begin(&world, wish()).await.unwrap();
    assert!(world.engine.finish(&ceremony.id, no).await.is_err());

    let ceremony = ann.begin(&world, wish()).await.unwrap();
    let late = ann.answer(&ceremony);
    world.clock.pass_ms(5 * 60_000);
    let finished = world.engine.finish(&ceremony.id, late).await;
    assert_eq!(finished, Err(DeskError::CeremonyOver));
    assert_eq!(world.state(&hold).await, "pending");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wall_clock_that_is_set_back_revives_nothing() {
    let (world, mut ann) = World::furnished().await;
    let (agent, hold) = held(&world, &mut ann).await;
    let wish = Player::judgement(&hold, 0, Decision::Approve);
    let ceremony = ann.begin(&world, wish).await.unwrap();
    let answer = ann.answer(&ceremony);
    world.clock.pass_ms(6 * 60_000);
    world.clock.set_back_ms(6 * 60_000);
    let finished = world.engine.finish(&ceremony.id, answer).await;
    assert_eq!(finished, Err(DeskError::CeremonyOver));

    ann.approve(&world, &hold).await;
    world.clock.pass_ms(16 * 60_000);
    world.clock.set_back_ms(16 * 60_000);
    world.refused(&agent, &destroy_in_production("v1")).await;
    assert_eq!(world.state(&hold).await, "lapsed");

    let secret = ann.secret.clone();
    world.clock.pass_ms(12 * HOUR_MS);
    world.clock.set_back_ms(12 * HOUR_MS);
    assert_eq!(world.engine.session(&secret), None);
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signatures_that_were_altered_void_the_approval() {
    for (column, from, to, why) in [
        (
            "approvals",
            "\"decision\\\":\\\"approve\\\"",
            "\"decision\\\":\\\"deny\\\"",
            "",
        ),
        (
            "approvals",
            "\"signature\":\"M",
            "\"signature\":\"N",
            "signature",
        ),
        (
            "body",
            "\"approvals\":1",
            "\"approvals\":0",
            "something else",
        ),
        ("body", "\"backups\":5", "\"backups\":500", "something else"),
        ("body", "\"delay_ms\":0", "\"delay_ms\":1", "something else"),
    ] {
        let (world, mut ann) = World::furnished().await;
        let (agent, hold) = held(&world, &mut ann).await;
        ann.approve(&world, &hold).await;
        tamper(&world, &hold, column, |text| text.replacen(from, to, 1));
        let refusal = world.refused(&agent, &destroy_in_production("v1")).await;
        assert!(refusal.line.contains(why), "{to}: {}", refusal.line);
        assert_eq!(world.state(&hold).await, "void", "{to}");
        assert_eq!(world.upstream.count(), 0, "{to}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hold_made_approved_by_hand_does_not_run() {
    let (world, mut ann) = World::furnished().await;
    let (agent, hold) = held(&world, &mut ann).await;
    let now = world.clock.wall_ms();
    let db = Connection::open(world.folder.join("tagout.sqlite")).unwrap();
    let sql = "UPDATE holds SET state = 'approved', approved = ?2 WHERE id = ?1";
    db.execute(sql, (hold.as_str(), i64::try_from(now).unwrap()))
        .unwrap();
    let refusal = world.refused(&agent, &destroy_in_production("v1")).await;
    assert_eq!(refusal.kind, RefusalKind::Denied, "{}", refusal.line);
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_operation_does_not_use_an_approval() {
    let (world, mut ann) = World::furnished().await;
    let (agent, hold) = held(&world, &mut ann).await;
    ann.approve(&world, &hold).await;
    let mut more = destroy_in_production("v1");
    more["members"] = 2.into();
    assert_ne!(world.held(&agent, &more).await, hold);
    assert_ne!(world.held(&agent, &destroy_in_production("v2")).await, hold);
    let other = world.connect(&mut ann, everything()).await;
    assert_ne!(world.held(&other, &destroy_in_production("v1")).await, hold);
    // Under a grant it is another asker.
    world
        .grant(&mut ann, &agent, everything(), Budget::default())
        .await;
    assert_ne!(world.held(&agent, &destroy_in_production("v1")).await, hold);
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_world_beyond_the_ceilings_voids_the_approval() {
    type Move = fn(&World);
    let moves: [(&str, Move); 4] = [
        ("now also in environment", |world| {
            let both = vec!["env-prod".to_owned(), "env-staging".to_owned()];
            world
                .upstream
                .moved
                .lock()
                .unwrap()
                .insert("volume:v1".to_owned(), both);
        }),
        ("now also in environment", |world| {
            let other = vec!["env-new".to_owned()];
            world
                .upstream
                .moved
                .lock()
                .unwrap()
                .insert("volume:v1".to_owned(), other);
        }),
        ("could not be found again", |world| {
            world
                .upstream
                .moved
                .lock()
                .unwrap()
                .insert("volume:v1".to_owned(), Vec::new());
        }),
        ("at most 5 approved", |world| {
            world
                .upstream
                .backups
                .lock()
                .unwrap()
                .insert("volume:v1".to_owned(), 6);
        }),
    ];
    for (why, change) in moves {
        let (world, mut ann) = World::furnished().await;
        let (agent, hold) = held(&world, &mut ann).await;
        ann.approve(&world, &hold).await;
        change(&world);
        is_void(&world, &agent, &hold, why).await;
    }
    // Living data inside the margin is no drift.
    let (world, mut ann) = World::furnished().await;
    let (agent, hold) = held(&world, &mut ann).await;
    ann.approve(&world, &hold).await;
    world
        .upstream
        .backups
        .lock()
        .unwrap()
        .insert("volume:v1".to_owned(), 5);
    world.passes(&agent, &destroy_in_production("v1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_policy_voids_the_approval() {
    let (world, mut ann) = World::furnished().await;
    let (agent, hold) = held(&world, &mut ann).await;
    ann.approve(&world, &hold).await;
    let text = "@id(\"mine\")\n@reason(\"mine\")\nforbid (principal, action == Action::\"emit\", resource);";
    let files = vec![("mine.cedar".to_owned(), text.to_owned())];
    ann.accept(&world, Change::Policies { files }).await;
    is_void(&world, &agent, &hold, "policy has changed").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_authenticator_that_is_gone_voids_the_approval() {
    let (world, mut ann) = World::furnished().await;
    let (agent, hold) = held(&world, &mut ann).await;
    ann.approve(&world, &hold).await;
    let db = Connection::open(world.folder.join("tagout.sqlite")).unwrap();
    db.execute("DELETE FROM authenticators", []).unwrap();
    world.engine.reload().await.unwrap();
    is_void(&world, &agent, &hold, "not enrolled any more").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_a_passkey_that_was_bent_are_refused() {
    let (world, mut ann) = World::furnished().await;
    let (_, hold) = held(&world, &mut ann).await;
    let wish = || Player::judgement(&hold, 0, Decision::Approve);
    let honest = ann.page.clone();
    let bends = [
        Bend {
            kind: Some("webauthn.create".to_owned()),
            ..Bend::default()
        },
        Bend {
            cross_origin: Some(true.into()),
            ..Bend::default()
        },
        Bend {
            client_data: Some(b"{}".to_vec()),
            ..Bend::default()
        },
        Bend {
            trailing: vec![0],
            ..Bend::default()
        },
    ];
    for bend in bends {
        ann.page = honest.bent(bend.clone());
        let refused = ann.wish(&world, wish()).await;
        assert!(
            matches!(refused, Err(DeskError::Passkey(_))),
            "{bend:?}: {refused:?}"
        );
    }
    ann.page = tagout_authenticator::Page::new(world::RP_ID, "https://evil.test");
    assert!(ann.wish(&world, wish()).await.is_err());
    ann.page = honest;
    let counted = ann.key.sign_count;
    ann.key.sign_count = 0;
    assert!(
        ann.wish(&world, wish()).await.is_err(),
        "a counter that went back"
    );
    ann.key.sign_count = counted;
    let mut stranger = Player::with_key(9);
    stranger.signed_in.clone_from(&ann.signed_in);
    assert!(stranger.wish(&world, wish()).await.is_err());
    assert_eq!(world.state(&hold).await, "pending");
    let created = {
        let ceremony = ann.begin(&world, wish()).await.unwrap();
        let mut key = Player::with_key(8);
        let made = ann.begin(&world, Wish::AddAuthenticator).await.unwrap();
        let answer: PasskeyAnswer = key.answer(&made);
        world.engine.finish(&ceremony.id, answer).await
    };
    assert_eq!(created, Err(DeskError::CeremonyOver));
}

/// Two people for a foundation, then three days.
fn foundation() -> serde_json::Value {
    let mut what = destroy_in_production("v1");
    what["marks"] = serde_json::json!(["foundation"]);
    what
}

async fn hold_of(world: &World, agent: &Caller) -> Hold {
    let id = world.held(agent, &foundation()).await;
    world.load(&id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_person_signs_twice_twelve_hours_apart() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = hold_of(&world, &agent).await;
    assert_eq!(hold.card.choices[0].document.approvals, 2);
    assert_eq!(ann.approve(&world, &hold.id).await, "pending");
    assert!(ann.try_approve(&world, &hold.id, 0).await.is_err());
    world.clock.pass_ms(HOUR_MS);
    world.clock.set_forward_ms(11 * HOUR_MS);
    ann.sign_in(&world).await;
    assert!(
        ann.try_approve(&world, &hold.id, 0).await.is_err(),
        "the wall clock was set"
    );
    world.clock.pass_ms(11 * HOUR_MS);
    ann.sign_in(&world).await;
    assert_eq!(ann.approve(&world, &hold.id).await, "scheduled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_people_are_two_and_newcomers_are_none() {
    let (world, mut ann) = World::furnished().await;
    let mut bob = ann.bring(&world, "Bob", 2).await;
    let agent = world.connect(&mut ann, everything()).await;
    let hold = hold_of(&world, &agent).await;
    assert_eq!(ann.approve(&world, &hold.id).await, "pending");
    assert!(
        bob.try_approve(&world, &hold.id, 0).await.is_err(),
        "enrolled just now"
    );
    assert!(
        ann.try_approve(&world, &hold.id, 0).await.is_err(),
        "the same person"
    );
    world.clock.pass_ms(13 * HOUR_MS);
    world.lane.tick().await.unwrap();
    ann.sign_in(&world).await;
    bob.sign_in(&world).await;
    let hold = hold_of(&world, &agent).await;
    assert_eq!(ann.approve(&world, &hold.id).await, "pending");
    assert_eq!(bob.approve(&world, &hold.id).await, "scheduled");
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signature_for_another_choice_neither_counts_nor_spoils() {
    let (world, mut ann) = World::furnished().await;
    let mut bob = ann.bring(&world, "Bob", 2).await;
    world.clock.pass_ms(13 * HOUR_MS);
    ann.sign_in(&world).await;
    bob.sign_in(&world).await;
    let agent = world.connect(&mut ann, everything()).await;
    let mut what = act("write", "volume:v1", &["env-staging", "env-prod"]);
    what["marks"] = serde_json::json!(["foundation"]);
    what["members"] = 500.into();
    let hold = world.held(&agent, &what).await;
    let card = world.load(&hold).await.card;
    assert_eq!(card.choices.len(), 2);
    let (safer, asked) = (&card.choices[0].document, &card.choices[1].document);
    assert_eq!((safer.approvals, asked.approvals), (1, 2));
    assert_eq!(ann.try_approve(&world, &hold, 1).await.unwrap(), "pending");
    assert_eq!(bob.try_approve(&world, &hold, 0).await.unwrap(), "approved");
    let done = world.refused(&agent, &what).await;
    assert_eq!(done.kind, RefusalKind::Done, "{}", done.line);
    assert_eq!(world.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn look_ups_that_are_throttled_neither_hold_nor_void() {
    let plan = Plan {
        look_ups: 2,
        ..Plan::default()
    };
    let (world, mut ann) = World::furnished_with(plan).await;
    let (agent, hold) = held(&world, &mut ann).await;
    ann.approve(&world, &hold).await;
    world.passes(&agent, &write_in_staging("s1")).await;
    let refusal = world.refused(&agent, &destroy_in_production("v1")).await;
    assert_eq!(refusal.kind, RefusalKind::Rate, "{}", refusal.line);
    assert_eq!(world.state(&hold).await, "approved");
    world.clock.pass_ms(1000);
    world.passes(&agent, &destroy_in_production("v1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_label_that_a_person_tightened_counts_at_once() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let mut what = act("destroy", "volume:v1", &["env-staging"]);
    what["marks"] = serde_json::json!(["whole"]);
    let hold = world.held(&agent, &what).await;
    ann.approve(&world, &hold).await;
    ann.accept(&world, world::label("env-staging", Environment::Production))
        .await;
    world.refused(&agent, &what).await;
    assert_eq!(world.state(&hold).await, "void", "three days are missing");
    assert_eq!(world.upstream.count(), 0);
}
