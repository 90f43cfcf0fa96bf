//! `tagout demo`: the nine-second incident and its relatives, played against a real gateway.
//!
//! Everything is real but the provider: this program starts itself as the gateway, a PostgreSQL server is
//! started for the demo alone, a stand-in plays Railway as it was in April 2026, curl plays the agent, and a software passkey plays the person. The
//! demo has no way round the gateway; what it shows is what happened.

mod acts;
mod cast;
mod database;
mod narrator;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use crate::cli::DemoArgs;
use crate::demo::cast::Cast;
use crate::demo::narrator::Narrator;
use crate::exit::Exit;

pub(crate) fn run(args: &DemoArgs) -> anyhow::Result<Exit> {
    let narrator = Narrator::new(args.json, args.fast);
    narrator.title("Tagout demo: a real gateway, a stand-in for Railway, an agent with curl");
    let mut cast = Cast::assemble(&narrator)?;
    let before = cast.railway.state().table("volumeInstances");
    for act in acts::ALL {
        act(&mut cast, &narrator)?;
    }
    database::play(&mut cast, &narrator)?;
    let untouched = cast.production_is_whole(&before);
    let sound = cast.gateway.says(&["ledger", "verify"])?;
    narrator.ending(&cast, untouched, &sound);
    ensure!(
        untouched,
        "production did not survive the demo; please report this"
    );
    if !args.fast && !args.json {
        leave_open(&mut cast, &narrator)?;
    }
    Ok(Exit::Ok)
}

/// How often the demo looks whether the viewer has done something.
const LOOK: Duration = Duration::from_millis(500);

/// One more request waits; the viewer joins by invitation and decides it. The console stays open until
/// the demo is ended.
fn leave_open(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    let document = acts::delete_volume(standin_railway::seed::BLOG_VOLUME);
    let heard = cast.staging_agent.graphql(&document)?;
    let hold = heard.hold().context("nothing is held")?;
    let invitation = cast.person.post("/api/v1/invitations", &json!({}))?;
    let link = invitation
        .pointer("/link")
        .and_then(Value::as_str)
        .unwrap_or_default();
    narrator.your_turn(link);
    let ended = until_interrupted()?;
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        welcome(cast, narrator)?;
        if let Some(state) = decided(cast, &hold)? {
            narrator.say(&format!("You decided: {state}. The agent asks again:"));
            narrator.heard(&document, &cast.staging_agent.graphql(&document)?);
            narrator.say("The console stays open. Ctrl-C ends the demo and removes everything.");
            return stay(cast, narrator, &ended);
        }
    }
    Ok(())
}

fn stay(cast: &mut Cast, narrator: &Narrator, ended: &AtomicBool) -> anyhow::Result<()> {
    while !ended.load(Ordering::Relaxed) {
        std::thread::sleep(LOOK);
        welcome(cast, narrator)?;
    }
    Ok(())
}

/// Set when the viewer presses Ctrl-C, so that everything that was started is ended and removed.
fn until_interrupted() -> anyhow::Result<Arc<AtomicBool>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    std::thread::spawn(move || {
        let pressed = runtime.block_on(tokio::signal::ctrl_c());
        flag.store(pressed.is_ok(), Ordering::Relaxed);
    });
    Ok(ended)
}

/// Ada accepts whoever joins by her invitation.
fn welcome(cast: &mut Cast, narrator: &Narrator) -> anyhow::Result<()> {
    let open = cast.person.get("/api/v1/proposals")?;
    for proposal in open.as_array().into_iter().flatten() {
        let joins = proposal
            .pointer("/change/change")
            .is_some_and(|kind| kind == "authenticator");
        let id = proposal.pointer("/id").and_then(Value::as_str);
        if let (true, Some(id)) = (joins, id) {
            cast.person.accept(id)?;
            narrator.say("Ada accepts you. Sign in with your passkey and decide.");
        }
    }
    Ok(())
}

/// What became of a hold, once it does not wait any more.
fn decided(cast: &Cast, hold: &str) -> anyhow::Result<Option<String>> {
    let found = cast.person.get(&format!("/api/v1/holds/{hold}"))?;
    let state = found
        .pointer("/state")
        .and_then(Value::as_str)
        .unwrap_or_default();
    Ok((state != "pending").then(|| state.to_owned()))
}
