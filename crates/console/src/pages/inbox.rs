//! The first page: what waits for a person, what is scheduled, and what was decided lately.

use axum::extract::{Extension, Form, Path, State};
use axum::response::Redirect;
use maud::{Markup, html};
use tagout_core::card::Hold;
use tagout_core::desk::{SignedIn, Standing};
use tagout_core::hold::HoldState;
use tagout_core::proposal::Proposal;
use tagout_core::time::UnixMs;

use crate::api::{Reason, Thaw, hold_id};
use crate::judging::groups;
use crate::pages::change;
use crate::refusal::PageRefusal;
use crate::{Console, render};

use super::{Frame, Page, Watch};

/// How many decided holds are listed.
const DECIDED_LISTED: usize = 20;

/// The list of everything that waits.
pub(crate) async fn page(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
) -> Page {
    let standing = console.desk.standing().await;
    let holds = console.desk.holds().await?;
    let proposals = console.desk.proposals().await?;
    let frame = Frame {
        title: "Holds",
        standing: &standing,
        person: Some(&person),
        watch: Some(Watch::inbox(&holds, &proposals)),
    };
    Ok(frame.around(&lists(&standing, &holds, &proposals)))
}

fn lists(standing: &Standing, holds: &[Hold], proposals: &[Proposal]) -> Markup {
    let of = |wanted: fn(HoldState) -> bool| holds.iter().filter(move |hold| wanted(hold.state));
    let scheduled: Vec<_> = of(|state| state == HoldState::Scheduled).collect();
    let going: Vec<_> =
        of(|state| matches!(state, HoldState::Approved | HoldState::Executing)).collect();
    let decided: Vec<_> = of(HoldState::is_final).take(DECIDED_LISTED).collect();
    html! {
        h1 { "Waiting for a person" }
        (waiting(holds, standing.now))
        @if !proposals.is_empty() { (proposed(proposals)) }
        @if !scheduled.is_empty() { (schedule(&scheduled, standing.now)) }
        @if !going.is_empty() { (table("Approved, waiting for the agent to ask again", &going)) }
        @if !decided.is_empty() { (table("Decided lately", &decided)) }
    }
}

fn waiting(holds: &[Hold], now: UnixMs) -> Markup {
    let groups = groups(holds);
    html! {
        @if groups.is_empty() { p.empty { "Nothing waits for you." } }
        @for group in groups {
            section.group {
                @if let [first, _, ..] = &group[..] {
                    p.together {
                        (render::environment(first.card.environment)) " "
                        (render::text(&first.card.agent)) " asks for " (group.len()) " things at once. "
                        a.button href=(judge_address(&group)) { "Judge them on one card" }
                    }
                }
                ul.waiting { @for hold in &group { (waiting_line(hold, now)) } }
            }
        }
    }
}

fn judge_address(group: &[&Hold]) -> String {
    let ids: Vec<_> = group.iter().map(|hold| hold.id.as_str()).collect();
    format!("/holds/judge?ids={}", ids.join(","))
}

fn waiting_line(hold: &Hold, now: UnixMs) -> Markup {
    let card = &hold.card;
    html! {
        li {
            a.headline href={ "/holds/" (hold.id) } { (render::text(&card.headline)) }
            p.aside {
                (render::environment(card.environment)) " "
                span class={ "reversibility " (card.reversibility.word()) } { (card.reversibility.word()) }
                " · " (render::text(&card.agent)) " · denied in " (render::span_ms(card.expires.since_ms(now)))
            }
        }
    }
}

fn proposed(proposals: &[Proposal]) -> Markup {
    html! {
        section #proposals {
            h2 { "Proposed changes" }
            ul.waiting {
                @for proposal in proposals {
                    li {
                        a.headline href={ "/proposals/" (proposal.id) } { (change::title(&proposal.change)) }
                        p.aside { "proposed by " (render::text(&proposal.from)) " at "
                            (render::moment(proposal.created)) }
                    }
                }
            }
        }
    }
}

fn schedule(scheduled: &[&Hold], now: UnixMs) -> Markup {
    html! {
        section {
            h2 { "Scheduled; anyone may cancel" }
            ul.waiting {
                @for hold in scheduled {
                    li {
                        a.headline href={ "/holds/" (hold.id) } { (render::text(&hold.card.headline)) }
                        (cancel_form(hold, now))
                    }
                }
            }
        }
    }
}

/// When a scheduled hold runs, and the way to stop it.
pub(crate) fn cancel_form(hold: &Hold, now: UnixMs) -> Markup {
    html! {
        form.cancel method="post" action={ "/holds/" (hold.id) "/cancel" } {
            @if let Some(at) = hold.run_at {
                span { "runs " (render::moment(at)) ", in " (render::span_ms(at.since_ms(now))) }
            }
            button.danger { "Cancel it" }
        }
    }
}

fn table(caption: &str, holds: &[&Hold]) -> Markup {
    html! {
        div.scroll {
            table {
                caption { (caption) }
                thead { tr { th { "State" } th { "What" } th { "Outcome" } th { "Asked" } } }
                tbody {
                    @for hold in holds {
                        tr {
                            td { span class={ "state " (hold.state.word()) } { (hold.state.word()) } }
                            td { a href={ "/holds/" (hold.id) } { (render::text(&hold.card.headline)) } }
                            td { (render::line(hold.outcome.as_deref().unwrap_or_default())) }
                            td { (render::moment(hold.created)) }
                        }
                    }
                }
            }
        }
    }
}

/// Cancels what is scheduled.
pub(crate) async fn cancel(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Result<Redirect, PageRefusal> {
    let id = hold_id(&id)?;
    console.desk.cancel(&person, &id).await?;
    Ok(Redirect::to(&format!("/holds/{id}")))
}

/// Stops everything.
pub(crate) async fn freeze(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    Form(Reason { reason }): Form<Reason>,
) -> Result<Redirect, PageRefusal> {
    console.desk.freeze(&person, reason).await?;
    Ok(Redirect::to("/"))
}

/// Proposes the end of a freeze.
pub(crate) async fn thaw(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    Form(Thaw { freeze }): Form<Thaw>,
) -> Result<Redirect, PageRefusal> {
    let proposal = console.desk.propose_thaw(&person, &freeze).await?;
    Ok(Redirect::to(&format!("/proposals/{proposal}")))
}
