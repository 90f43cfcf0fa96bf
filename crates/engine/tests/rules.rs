//! Budgets, modes, quotas, and that nothing widens by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may fail"
)]

mod world;

use serde_json::json;
use tagout_core::approval::Decision;
use tagout_core::desk::{Desk as _, DeskError, Wish};
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::ids::{ConnectionId, GrantId};
use tagout_core::pipeline::{Answer, GrantRequest, Pipeline as _, Stray};
use tagout_core::proposal::Change;
use tagout_core::refusal::RefusalKind;
use tagout_core::rights::Rights;
use tagout_core::store::{Authorities as _, Authority, Budgets as _, Purse};
use tagout_core::verdict::Mode;
use tagout_engine::{EngineError, NarrowGrant, Notice};
use world::{
    Fault, HOUR_MS, Plan, Player, World, act, destroy_in_production, everything, write_in_staging,
};

fn budget(effect: Effect, limit: u64) -> Budget {
    Budget([(effect, limit)].into())
}

fn development() -> Rights {
    Rights::standing()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_budget_stops_the_task_and_a_new_grant_starts_another() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, development()).await;
    let grant = world
        .grant(&mut ann, &agent, everything(), budget(Effect::Write, 3))
        .await;
    for number in 0..3 {
        world
            .passes(&agent, &write_in_staging(&format!("s{number}")))
            .await;
    }
    for number in 3..6 {
        let refusal = world
            .refused(&agent, &write_in_staging(&format!("s{number}")))
            .await;
        assert_eq!(refusal.kind, RefusalKind::Budget, "{}", refusal.line);
    }
    // The task is stopped, not only this effect of it; what the connection may do it still may.
    let emit = act("emit", "mail:m", &["env-staging"]);
    assert_eq!(world.refused(&agent, &emit).await.kind, RefusalKind::Budget);
    world
        .passes(&agent, &act("read", "service:s", &["env-prod"]))
        .await;
    assert_eq!(world.upstream.count(), 4);
    assert_eq!(world.leaves("tripped").len(), 1);
    let tripped = Notice::Tripped { grant };
    assert!(world.told.0.lock().unwrap().contains(&tripped));
    world
        .grant(&mut ann, &agent, everything(), Budget::default())
        .await;
    world.passes(&agent, &write_in_staging("s9")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_sent_spends_nothing() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, development()).await;
    let grant = world
        .grant(&mut ann, &agent, everything(), budget(Effect::Write, 3))
        .await;
    let purse = Purse::Grant(grant);
    // In the store in arrears: when nothing is on its way any more.
    let spent = async || {
        world.leaves("outcome");
        world.lane.tick().await.unwrap();
        let booked = world.store.booked().await.unwrap();
        let spent = booked.spent.get(&purse).cloned().unwrap_or_default();
        spent.0.get(&Effect::Write).copied().unwrap_or_default()
    };
    world.upstream.fail(Fault::NoConnection);
    world.refused(&agent, &write_in_staging("s")).await;
    assert_eq!(spent().await, 0);
    world.upstream.fail(Fault::None);
    world
        .disk_is_full
        .store(true, std::sync::atomic::Ordering::SeqCst);
    while let Answer::Reply(_) = world.ask(&agent, &write_in_staging("s")).await {
        let sent = u64::try_from(world.upstream.count()).unwrap();
        assert!(sent < 4, "the budget was overspent");
    }
    let sent = u64::try_from(world.upstream.count()).unwrap();
    assert_eq!(spent().await, sent);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn children_are_narrower_and_spend_their_parents_budget() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, development()).await;
    let staging = || {
        world::rights(
            &[Effect::Read, Effect::Write],
            &["*:*"],
            &[Environment::Staging],
        )
    };
    let parent = world
        .grant(&mut ann, &agent, staging(), budget(Effect::Write, 2))
        .await;
    let narrow = |rights: Rights, connection: &ConnectionId| NarrowGrant {
        parent: parent.clone(),
        connection: connection.clone(),
        task: "a part".into(),
        rights,
        budget: budget(Effect::Write, 100),
        life_ms: 1000 * HOUR_MS,
    };
    let wider = world
        .engine
        .narrow_grant(narrow(everything(), &agent.connection))
        .await;
    assert!(matches!(wider, Err(EngineError::Wider(_))), "{wider:?}");
    let wider = world
        .engine
        .narrow_connection(
            &agent.connection,
            "x".into(),
            everything(),
            Budget::default(),
        )
        .await;
    assert!(matches!(wider, Err(EngineError::Wider(_))), "{wider:?}");
    let stranger = world.connect(&mut ann, development()).await;
    let foreign = world
        .engine
        .narrow_grant(narrow(staging(), &stranger.connection))
        .await;
    assert!(
        foreign.is_err(),
        "a grant is not given to another connection"
    );

    let child = world
        .engine
        .narrow_connection(
            &agent.connection,
            "sub".into(),
            development(),
            Budget::default(),
        )
        .await
        .unwrap();
    world
        .engine
        .narrow_grant(narrow(staging(), &child))
        .await
        .unwrap();
    let child = world.caller(&child);
    world.passes(&child, &write_in_staging("s1")).await;
    world.passes(&agent, &write_in_staging("s2")).await;
    let refusal = world.refused(&child, &write_in_staging("s3")).await;
    assert_eq!(refusal.kind, RefusalKind::Budget, "{}", refusal.line);
    world.clock.pass_ms(9 * HOUR_MS);
    let refusal = world.refused(&child, &write_in_staging("s3")).await;
    assert_eq!(refusal.kind, RefusalKind::Held, "it ended with its parent");
    let kinds = ["narrowed_connection", "narrowed_grant"].map(|kind| world.leaves(kind).len());
    assert_eq!(
        kinds,
        [1, 2],
        "asked for is recorded, also where the store refused"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observing_lets_pass_and_records_what_guarding_would_have_said() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, development()).await;
    world
        .grant(&mut ann, &agent, everything(), budget(Effect::Destroy, 1))
        .await;
    ann.accept(&world, Change::Upstream(world::registered(Mode::Observe)))
        .await;
    for number in 0..3 {
        world
            .passes(&agent, &destroy_in_production(&format!("v{number}")))
            .await;
    }
    let intent = &world.leaves("intent")[0];
    assert_eq!(intent["basis"], json!({"observed": "hold"}));
    for (what, why) in [
        (act("secret_read", "secret:x", &["env-dev"]), "secrets"),
        (
            json!({"do": "write", "to": "token:t", "at": ["env-dev"], "marks": ["mint"]}),
            "credential",
        ),
        (
            json!({"do": "write", "to": "self:t", "at": ["env-dev"], "marks": ["ourselves"]}),
            "Tagout",
        ),
    ] {
        let refusal = world.refused(&agent, &what).await;
        assert_eq!(refusal.kind, RefusalKind::Denied);
        assert!(refusal.line.contains(why), "{}", refusal.line);
    }
    world.engine.freeze("Ann".into(), "x".into()).await.unwrap();
    let refusal = world.refused(&agent, &destroy_in_production("v9")).await;
    assert_eq!(refusal.kind, RefusalKind::Frozen);
    assert_eq!(world.upstream.count(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn strict_refuses_whoever_shares_our_user() {
    let plan = Plan {
        own_uid: Some(1000),
        ..Plan::default()
    };
    let (world, mut ann) = World::furnished_with(plan).await;
    let agent = world.connect(&mut ann, everything()).await;
    let token = world.engine.token(&agent.connection).unwrap();
    let same = world.lane.admit(&token, &world::peer(Some(1000))).unwrap();
    assert!(same.advisory && !agent.advisory);
    let hold = world.held(&same, &destroy_in_production("v1")).await;
    assert!(world.load(&hold).await.card.notices[0].starts_with("advisory"));
    ann.accept(&world, Change::Upstream(world::registered(Mode::Strict)))
        .await;
    ann.approve(&world, &hold).await;
    for what in [
        destroy_in_production("v1"),
        act("read", "s:s", &["env-dev"]),
    ] {
        let refusal = world.refused(&same, &what).await;
        assert!(refusal.line.contains("strictly"), "{}", refusal.line);
    }
    world.passes(&agent, &destroy_in_production("v1")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_are_read_only_where_they_can_be_taken_out() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let mut what = act("secret_read", "secret:x", &["env-prod"]);
    let refusal = world.refused(&agent, &what).await;
    assert_eq!(refusal.kind, RefusalKind::Denied, "{}", refusal.line);
    what["secret_at"] = true.into();
    world.passes(&agent, &what).await;
    assert_eq!(world.upstream.count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ambiguous_or_unknown_does_not_run_and_leaves_no_agents_text() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let refusal = world.refused(&agent, &json!("ambiguous s3cr3t-text")).await;
    assert_eq!(refusal.kind, RefusalKind::Denied);
    world.held(&agent, &json!("nonsense s3cr3t-text")).await;
    for entry in world.ledger.entries(0..u64::MAX) {
        let text = String::from_utf8(entry.unwrap().1).unwrap();
        assert!(!text.contains("s3cr3t"), "{text}");
    }
    assert_eq!(world.upstream.count(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stray_credential_is_recorded_and_told_within_a_quota() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let stray = || Stray {
        upstream: Some(world::upstream_name()),
        place: "header authorization".to_owned(),
        host: "up.test".to_owned(),
    };
    let refusal = world.lane.stray(Some(&agent), stray()).await;
    assert!(!refusal.text().to_lowercase().contains("unauthorized"));
    let leaf = &world.leaves("stray")[0];
    assert_eq!(leaf["connection"], agent.connection.as_str());
    assert!(matches!(
        world.told.0.lock().unwrap().last(),
        Some(Notice::Stray { .. })
    ));
    for _ in 0..500 {
        world.lane.stray(None, stray()).await;
    }
    assert_eq!(world.leaves("stray").len(), 1 + 200, "a burst, and no more");
    world.clock.pass_ms(10_000);
    world.lane.tick().await.unwrap();
    assert_eq!(world.leaves("refused_more")[0]["count"], 300);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn holds_that_wait_are_limited() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    for number in 0..50 {
        world
            .held(&agent, &destroy_in_production(&format!("v{number}")))
            .await;
    }
    let refusal = world.refused(&agent, &destroy_in_production("v50")).await;
    assert_eq!(refusal.kind, RefusalKind::Rate, "{}", refusal.line);
    let other = world.connect(&mut ann, everything()).await;
    world.held(&other, &destroy_in_production("v50")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_ends_after_thirty_idle_days_and_not_while_it_is_used() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, everything()).await;
    let read = act("read", "s:s", &["env-dev"]);
    for _ in 0..4 {
        world.clock.pass_ms(20 * 24 * HOUR_MS);
        world.passes(&agent, &read).await;
    }
    let token = world.engine.token(&agent.connection).unwrap();
    world.clock.pass_ms(30 * 24 * HOUR_MS);
    assert!(world.lane.admit(&token, &world::peer(None)).is_err());
    assert_eq!(world.refused(&agent, &read).await.kind, RefusalKind::Token);
}

/// Who may do what, without the counters of passkeys and the times of use.
async fn authority(world: &World) -> Authority {
    let mut authority = world.store.authority().await.unwrap();
    for person in &mut authority.people {
        for key in &mut person.authenticators {
            key.sign_count = 0;
        }
    }
    for connection in &mut authority.connections {
        connection.used = connection.created;
    }
    authority
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_may_ask_for_a_grant_and_a_person_gives_it() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, development()).await;
    let request = |task: &str| GrantRequest {
        task: task.into(),
        rights: everything(),
        budget: Budget::default(),
        life_ms: Some(u64::MAX),
    };
    let before = authority(&world).await;
    let mut asked = Vec::new();
    for task in ["one", "two", "three", "four", "five"] {
        asked.push(
            world
                .lane
                .request_grant(&agent, request(task))
                .await
                .unwrap(),
        );
    }
    for refused in [request("six"), request(""), request(&"x".repeat(501))] {
        let refused = world.lane.request_grant(&agent, refused).await;
        assert!(refused.is_err(), "{refused:?}");
    }
    let nothing = GrantRequest {
        rights: Rights::default(),
        ..request("x")
    };
    assert!(world.lane.request_grant(&agent, nothing).await.is_err());
    assert_eq!(authority(&world).await, before, "asking gives nothing");
    assert_eq!(
        world.refused(&agent, &write_in_staging("s")).await.kind,
        RefusalKind::Held
    );
    let proposals = world.engine.proposals().await.unwrap();
    assert!(
        proposals
            .iter()
            .all(|each| each.from.raw() == agent.connection.as_str())
    );
    ann.settle(&world, asked.remove(0), Decision::Approve)
        .await
        .unwrap();
    world.passes(&agent, &write_in_staging("s")).await;
    let grant = &world.store.authority().await.unwrap().grants[0];
    assert_eq!(
        grant.expires.since_ms(
            grant
                .expires
                .min(tagout_core::time::UnixMs(world.clock.wall_ms()))
        ),
        8 * HOUR_MS
    );
    world
        .lane
        .request_grant(&agent, request("four"))
        .await
        .unwrap();
}

/// Every public method of the engine, and every act of a person that takes no passkey, one after the
/// other: none of them widens anything.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_widens_without_a_signed_acceptance() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, development()).await;
    let before = authority(&world).await;
    for change in changes(&agent.connection) {
        let proposed = world.engine.propose(change.clone(), "x".into()).await;
        if let Ok(id) = proposed {
            ann.settle(&world, id, Decision::Deny).await.unwrap();
        }
    }
    world.engine.reload().await.unwrap();
    let _ = world.engine.token(&agent.connection);
    let _ = world.engine.upstreams();
    let _ = world.engine.changes();
    world.engine.standing().await;
    world.engine.holds().await.unwrap();
    world.engine.proposals().await.unwrap();
    world.engine.invite(ann.me()).unwrap();
    world.lane.tick().await.unwrap();
    assert!(world.engine.enrolled());
    assert_eq!(world.engine.enrolment_code(), Ok(None), "only the first");
    let enrol = Wish::Enrol {
        code: String::new(),
        name: "Eve".to_owned(),
    };
    assert_eq!(
        world.engine.begin(None, enrol).await,
        Err(DeskError::EnrolmentClosed)
    );
    let join = Wish::Join {
        code: "0".repeat(32),
        name: "Eve".to_owned(),
    };
    assert_eq!(
        world.engine.begin(None, join).await,
        Err(DeskError::EnrolmentClosed)
    );
    let mut eve = Player::with_key(6);
    assert!(eve.wish(&world, Wish::SignIn).await.is_err());
    ann.wish(&world, Wish::AddAuthenticator).await.unwrap();
    assert_eq!(authority(&world).await, before);
    // Children are inside their parents; freezing and revoking only take away.
    world
        .engine
        .narrow_connection(
            &agent.connection,
            "x".into(),
            Rights::default(),
            Budget::default(),
        )
        .await
        .unwrap();
    world.engine.freeze("x".into(), "x".into()).await.unwrap();
    world
        .engine
        .revoke_connection(&agent.connection)
        .await
        .unwrap();
    let after = authority(&world).await;
    assert!(after.connections.is_empty() && after.frozen.is_some());
    assert_eq!(after.upstreams, before.upstreams);
    assert_eq!(after.people, before.people);
}

fn changes(connection: &ConnectionId) -> Vec<Change> {
    let mut observed = world::registered(Mode::Observe);
    observed.url = "https://elsewhere.test".to_owned();
    vec![
        Change::Connect {
            id: ConnectionId::from_bits([3; 16]),
            agent: "x".into(),
            workspace: "x".into(),
            rights: everything(),
            budget: Budget::default(),
        },
        Change::OpenGrant {
            id: GrantId::from_bits([3; 16]),
            connection: connection.clone(),
            parent: None,
            task: "x".into(),
            rights: everything(),
            budget: Budget::default(),
            life_ms: 1,
        },
        world::label("env-prod", Environment::Development),
        Change::Upstream(observed),
        Change::Policies { files: Vec::new() },
        Change::Thaw {
            freeze: tagout_core::ids::FreezeId::from_bits([3; 16]),
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_could_never_be_in_force_is_refused_before_or_at_the_signature() {
    let (world, mut ann) = World::furnished().await;
    let agent = world.connect(&mut ann, development()).await;
    let mut plain = world::registered(Mode::Guard);
    plain.url = "http://elsewhere.test".to_owned();
    let mut inline = world::registered(Mode::Guard);
    inline.credential = "sk_live_1".to_owned();
    let grant = |connection: &ConnectionId, life_ms, parent| Change::OpenGrant {
        id: GrantId::from_bits(world::bits()),
        connection: connection.clone(),
        parent,
        task: "x".into(),
        rights: everything(),
        budget: Budget::default(),
        life_ms,
    };
    let bad_policy = vec![("x.cedar".to_owned(), "permit(".to_owned())];
    let nobody = ConnectionId::from_bits([4; 16]);
    let narrow = world
        .grant(&mut ann, &agent, development(), Budget::default())
        .await;
    let elsewhere = Change::Label {
        upstream: "other".parse().unwrap(),
        place: "p".to_owned(),
        name: "p".into(),
        environment: Environment::Development,
    };
    let before = authority(&world).await;
    for change in [
        Change::Upstream(plain),
        Change::Upstream(inline),
        Change::Policies { files: bad_policy },
        grant(&agent.connection, 0, None),
        grant(&agent.connection, u64::MAX, None),
        grant(&nobody, 1000, None),
        grant(&agent.connection, 1000, Some(GrantId::from_bits([4; 16]))),
        grant(&agent.connection, 1000, Some(narrow)),
        elsewhere,
    ] {
        if let Ok(id) = world.engine.propose(change.clone(), "x".into()).await {
            let settled = ann.settle(&world, id, Decision::Approve).await;
            assert!(settled.is_err(), "{change:?}");
        }
    }
    assert_eq!(authority(&world).await, before);
}
