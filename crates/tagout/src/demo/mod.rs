//! `tagout demo`: the nine-second incident and its relatives, played against a real gateway.
//!
//! Everything is real but the provider: this program starts itself as the gateway, a stand-in plays
//! Railway as it was in April 2026, curl plays the agent, and a software passkey plays the person. The
//! demo has no way round the gateway; what it shows is what happened.

mod acts;
mod cast;
mod narrator;

use std::time::Duration;

use anyhow::ensure;

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
    let untouched = cast.production_is_whole(&before);
    let sound = cast.gateway.says(&["ledger", "verify"])?;
    narrator.ending(&cast, untouched, &sound);
    ensure!(
        untouched,
        "production did not survive the demo; please report this"
    );
    if !args.fast && !args.json {
        leave_open(&cast, &narrator)?;
    }
    Ok(Exit::Ok)
}

/// One more request waits in the console until the viewer ends the demo.
fn leave_open(cast: &Cast, narrator: &Narrator) -> anyhow::Result<()> {
    let heard = cast
        .staging_agent
        .graphql(&acts::delete_volume(standin_railway::seed::BLOG_VOLUME))?;
    narrator.open_console(&cast.gateway.origin(), heard.hold().as_deref());
    loop {
        std::thread::sleep(Duration::from_secs(3600));
    }
}
