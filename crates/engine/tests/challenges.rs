//! The vault answers a server's challenge for whoever signs in at the credential's own host, and for nobody
//! else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

mod world;

use std::sync::Arc;

use tagout_core::ids::UpstreamName;
use tagout_core::permit::Errand;
use tagout_core::pipeline::{Errands as _, Vault as _};
use tagout_core::proposal::Change;
use tagout_core::session::{Challenge, ChallengeAnswer};
use tagout_core::verdict::Mode;
use tagout_engine::{EngineVault, InstallationKey, KeyUse};

use world::{World, registered, upstream_name};

const SECRET: &str = "a-password-that-nobody-sees";

#[tokio::test]
async fn a_challenge_is_answered_for_its_errand_and_its_host_only() {
    let (world, mut ann) = World::furnished().await;
    let file = world.folder.join("credential");
    std::fs::write(&file, format!("{SECRET}\n")).unwrap();
    let mut upstream = registered(Mode::Guard);
    upstream.credential = format!("file:{}", file.display());
    ann.accept(&world, Change::Upstream(upstream)).await;

    let key = InstallationKey::new([7; 32]).derive(KeyUse::Vault);
    let vault = EngineVault::new(Arc::clone(&world.engine), key);
    let other: UpstreamName = "another".parse().unwrap();
    let name = upstream_name();
    let cleartext = |verified_tls| Challenge::Cleartext { verified_tls };
    let refused = [
        (&name, Errand::LookUp, "127.0.0.1", true, "not the ones"),
        (&name, Errand::Probe, "127.0.0.1", true, "not the ones"),
        (&other, Errand::SignIn, "127.0.0.1", true, "not the ones"),
        (&name, Errand::SignIn, "127.0.0.2", true, "not for host"),
        (&name, Errand::SignIn, "127.0.0.1.x", true, "not for host"),
        (&name, Errand::SignIn, "127.0.0.1", false, "verify-full"),
    ];
    for (leave_for, errand, host, verified, expected) in refused {
        let errands = world.engine.operator_errands();
        let clearance = errands.leave(leave_for, errand).unwrap();
        let answer = vault.answer(&clearance, &name, host, cleartext(verified));
        let error = answer.await.unwrap_err().to_string();
        assert!(error.contains(expected), "{errand:?} {host}: {error}");
        assert!(!error.contains(SECRET), "{error}");
    }

    let errands = world.engine.operator_errands();
    let clearance = errands.leave(&name, Errand::SignIn).unwrap();
    let answer = vault.answer(&clearance, &name, "127.0.0.1", cleartext(true));
    let answer = answer.await.unwrap();
    assert!(!format!("{answer:?}").contains(SECRET));
    assert!(matches!(answer, ChallengeAnswer::Password(text) if *text == SECRET.as_bytes()));
}
