//! Several holds of one agent, task and environment on one card: each is judged, none is waved through.

use axum::extract::{Extension, Query, State};
use maud::{Markup, html};
use serde::Deserialize;
use tagout_core::card::{Choice, Hold};
use tagout_core::desk::SignedIn;
use tagout_core::resolved::Provenance;
use tagout_core::time::UnixMs;
use tagout_core::untrusted::Untrusted;

use crate::api::holds_of;
use crate::judging::{approvable, together};
use crate::refusal::Refusal;
use crate::{Console, render};

use super::card::{environment_mark, impact, terms};
use super::{Frame, Page, Watch, ceremony_foot};

/// Which holds, separated by commas.
#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    ids: String,
}

/// The joint card.
pub(crate) async fn page(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    Query(which): Query<Which>,
) -> Page {
    let standing = console.desk.standing().await;
    let holds = load(&console, &which.ids).await?;
    let frame = Frame {
        title: "Several holds",
        standing: &standing,
        person: Some(&person),
        watch: Some(Watch::card(&holds)),
    };
    Ok(frame.around(&whole(&holds, standing.now)))
}

/// The holds, all different and fit for one card.
async fn load(console: &Console, ids: &str) -> Result<Vec<Hold>, Refusal> {
    let holds = holds_of(console, ids).await?;
    let first = holds.first().ok_or(Refusal::NotTogether)?;
    match holds.iter().all(|hold| together(first, hold)) {
        true => Ok(holds),
        false => Err(Refusal::NotTogether),
    }
}

fn whole(holds: &[Hold], now: UnixMs) -> Markup {
    let Some(first) = holds.first() else {
        return html! {};
    };
    let same_claim = same_claim(holds);
    let soonest = holds
        .iter()
        .map(|hold| hold.card.expires)
        .min()
        .unwrap_or(now);
    html! {
        article class={ "card " (first.card.environment.word()) } {
            header.what {
                p { (render::environment(first.card.environment)) " " (environment_mark(first.card.environment)) }
                h1 { (render::text(&first.card.agent)) " asks for " (render::counted(holds.len(), "thing")) }
                @if let Some(task) = &first.card.task { p { "task: " (render::text(task)) " " (render::mark(Provenance::Declared)) } }
                p.left { "The first expires in " strong { (render::span_ms(soonest.since_ms(now))) }
                    ", which means denied." }
            }
            form.joint data-ceremony=r#"{"wish":"judge"}"# data-next="rest" {
                @for hold in holds { (one(hold, same_claim.is_none())) }
                @if let Some(claim) = same_claim { (claimed(claim)) }
                div.decide {
                    label { span { "What the agent is told with a no" }
                        input name="reason" maxlength="300" autocomplete="off" placeholder="optional"; }
                    button.primary.always disabled name="decision" value="deny" { "Deny the ticked" }
                    button disabled name="decision" value="approve" { "Approve the ticked, once each" }
                    p.aside { "What is not ticked goes on waiting." }
                    (ceremony_foot())
                }
            }
            (render::marks_legend())
        }
    }
}

/// What the agent says of all of them, if it says the same.
fn same_claim(holds: &[Hold]) -> Option<&Untrusted> {
    let first = holds.first()?.card.claimed.as_ref()?;
    let same = |hold: &Hold| hold.card.claimed.as_ref() == Some(first);
    holds.iter().all(same).then_some(first)
}

fn claimed(reason: &Untrusted) -> Markup {
    html! {
        aside.claimed {
            p { "The agent says, and nobody checked: " (render::mark(Provenance::Claimed)) }
            (render::block(reason))
        }
    }
}

fn one(hold: &Hold, with_claim: bool) -> Markup {
    let card = &hold.card;
    html! {
        fieldset {
            legend {
                label.tick {
                    input type="checkbox" name="hold" value=(hold.id) autocomplete="off";
                    strong { (render::text(&card.headline)) }
                }
            }
            (impact(&card.targets))
            p { "Can it come back? "
                strong class={ "reversibility " (card.reversibility.word()) } { (card.reversibility.word()) }
                " " (render::mark(Provenance::Declared)) }
            @if !card.strays.is_empty() { p.strays { (render::line(&card.strays)) " " (render::mark(Provenance::Resolved)) } }
            @for (index, choice) in card.choices.iter().enumerate() { (way(hold, index, choice)) }
            @if let Some(reason) = card.claimed.as_ref().filter(|_| with_claim) { (claimed(reason)) }
        }
    }
}

/// One way to approve a hold; the safest is chosen unless the person says otherwise.
fn way(hold: &Hold, index: usize, choice: &Choice) -> Markup {
    let shown = approvable(hold, index);
    html! {
        label.way.alone[hold.card.choices.len() == 1] {
            input type="radio" name={ "choice-" (hold.id) } value=(index) checked[index == 0]
                disabled[shown.is_err()] data-shown=(choice.document.digest()) autocomplete="off";
            (render::line(&choice.title))
        }
        @if let Err(why) = shown { p.problem { "No approval here: " (why) "." } }
        (render::block(&choice.shown))
        (terms(&hold.card, &choice.document))
    }
}
