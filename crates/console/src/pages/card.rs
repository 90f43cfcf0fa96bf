//! One hold, to be understood in five seconds. The order argues: what, where, how much, whether it can
//! come back, exactly what, for whom, what was done before; what the agent says comes last.

use std::collections::BTreeSet;

use axum::extract::{Extension, Path, State};
use maud::{Markup, html};
use serde_json::json;
use tagout_core::approval::ApprovalDocument;
use tagout_core::card::{Card, CardTarget, Choice, Hold};
use tagout_core::desk::SignedIn;
use tagout_core::effect::Reversibility;
use tagout_core::environment::{Environment, Place};
use tagout_core::hold::HoldState;
use tagout_core::resolved::{Fact, Labelled, Provenance};
use tagout_core::time::UnixMs;
use tagout_core::verdict::Safeguard;

use crate::api::hold_id;
use crate::judging::approvable;
use crate::{Console, render};

use super::inbox::cancel_form;
use super::{Frame, Page, Watch, ceremony_foot};

/// The card of one hold.
pub(crate) async fn page(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Page {
    let standing = console.desk.standing().await;
    let hold = console.desk.hold(&hold_id(&id)?).await?;
    let frame = Frame {
        title: hold.state.word(),
        standing: &standing,
        person: Some(&person),
        watch: Some(Watch::card(std::slice::from_ref(&hold))),
    };
    Ok(frame.around(&whole(&hold, &person, standing.now)))
}

fn whole(hold: &Hold, person: &SignedIn, now: UnixMs) -> Markup {
    let card = &hold.card;
    html! {
        article class={ "card " (card.environment.word()) } {
            (headline(card))
            (impact(&card.targets))
            (reversibility(card.reversibility))
            @for notice in &card.notices { p.notice { (render::line(notice)) } }
            (operation(card))
            (asker(card))
            (precedent(&card.precedent))
            (claimed(card))
            (time_left(hold, now))
            (answers(hold, person))
            (decision(hold, now))
            (render::marks_legend())
        }
    }
}

fn headline(card: &Card) -> Markup {
    html! {
        header.what {
            p { (render::environment(card.environment)) " " (environment_mark(card.environment)) }
            h1 { (render::text(&card.headline)) }
            p.why { (render::line(&card.reason)) }
        }
    }
}

/// The label is a person's; which environment it is was looked up.
pub(crate) fn environment_mark(environment: Environment) -> Markup {
    match environment {
        Environment::Unknown => {
            html! { span.aside { "no person labelled it, or it was not found" } }
        }
        _ => render::mark(Provenance::Resolved),
    }
}

/// What would be touched, for one card or for a line of a joint card.
pub(crate) fn impact(targets: &[CardTarget]) -> Markup {
    html! {
        section.impact aria-label="What would be touched" {
            @for target in targets {
                div.target {
                    p { span class={ "effect " (target.effect) } { (target.effect) } " "
                        @if let Some(name) = &target.name { strong { (render::text(name)) } " " }
                        code { (render::text(&target.resource)) } }
                    (places(target))
                    (facts(&target.facts))
                    p.aside { (render::line(&target.why)) " " (render::mark(Provenance::Declared)) }
                }
            }
        }
    }
}

fn places(target: &CardTarget) -> Markup {
    html! {
        ul.places {
            @if target.places.is_empty() {
                li { "not found anywhere, so it may be everywhere" }
            }
            @for labelled in &target.places { li { (place(labelled)) " " (render::mark(Provenance::Resolved)) } }
        }
    }
}

/// The label is a person's, bound to the id; the quoted names are the provider's and decide nothing.
fn place(labelled: &Labelled) -> Markup {
    let Place {
        id,
        name,
        project,
        ephemeral,
    } = &labelled.place;
    html! {
        (render::environment(labelled.environment)) " “" (render::text(name)) "”"
        @if let Some(project) = project { " in " (render::text(project)) }
        @if *ephemeral { ", short-lived" }
        " " code.id { (render::line(id)) }
    }
}

fn facts(facts: &[Fact]) -> Markup {
    html! {
        dl.facts {
            @for fact in facts {
                div {
                    dt { (render::line(&fact.label)) }
                    dd { (fact_value(fact)) " " (render::mark(fact.provenance)) }
                }
            }
        }
    }
}

/// A count of bytes is said in a unit that people know; all else as it came.
fn fact_value(fact: &Fact) -> Markup {
    let bytes = (fact.label == "bytes")
        .then(|| fact.value.raw().parse().ok())
        .flatten();
    match bytes.and_then(render::large_bytes) {
        Some(short) => html! { (short) },
        None => render::text(&fact.value),
    }
}

fn reversibility(reversibility: Reversibility) -> Markup {
    html! {
        p.comeback {
            "Can it come back? "
            strong class={ "reversibility " (reversibility.word()) } { (reversibility.word()) }
            " " (render::mark(Provenance::Declared))
        }
    }
}

fn operation(card: &Card) -> Markup {
    html! {
        section aria-label="The exact operation" {
            h2 { "Exactly this would be sent" }
            (render::block(&card.operation))
        }
    }
}

fn asker(card: &Card) -> Markup {
    html! {
        section aria-label="Who asks" {
            dl.facts {
                div { dt { "agent" } dd { (render::text(&card.agent)) " " (render::mark(Provenance::Declared)) } }
                div { dt { "connection" } dd { code.id { (card.connection) } } }
                div { dt { "task" } dd {
                    @match &card.task {
                        Some(task) => { (render::text(task)) " " (render::mark(Provenance::Declared)) }
                        None => "none was granted",
                    }
                } }
            }
            @if !card.strays.is_empty() { p.strays { (render::line(&card.strays)) " " (render::mark(Provenance::Resolved)) } }
        }
    }
}

fn precedent(precedent: &[String]) -> Markup {
    html! {
        section aria-label="Precedent" {
            @if precedent.is_empty() {
                p.first { "Nothing of this shape was decided before. " (render::mark(Provenance::Measured)) }
            } @else {
                h2 { "Decided before " (render::mark(Provenance::Measured)) }
                ul { @for line in precedent { li { (render::line(line)) } } }
            }
        }
    }
}

fn claimed(card: &Card) -> Markup {
    html! {
        @if let Some(reason) = &card.claimed {
            aside.claimed aria-label="Claimed by the agent" {
                p { "The agent says, and nobody checked: " (render::mark(Provenance::Claimed)) }
                blockquote { (render::block(reason)) }
            }
        }
    }
}

fn time_left(hold: &Hold, now: UnixMs) -> Markup {
    html! {
        @if hold.state == HoldState::Pending {
            p.left { strong { (render::span_ms(hold.card.expires.since_ms(now))) }
                " left; at " (render::moment(hold.card.expires)) " it is denied by itself." }
        }
    }
}

fn answers(hold: &Hold, person: &SignedIn) -> Markup {
    html! {
        @if !hold.approvals.is_empty() {
            section aria-label="Answers so far" {
                h2 { "Answers so far" }
                ul {
                    @for answer in &hold.approvals {
                        li { @if answer.person == person.person { "you" } @else { code.id { (answer.person) } }
                            " at " (render::moment(answer.at))
                            @if let Some(choice) = hold.card.choices.get(answer.choice) {
                                ": " (render::line(&choice.title))
                            } }
                    }
                }
            }
        }
    }
}

fn decision(hold: &Hold, now: UnixMs) -> Markup {
    html! {
        section.decide aria-label="Decide" {
            @match hold.state {
                HoldState::Pending if now >= hold.card.expires => p { "Nobody answered in time, which means no." },
                HoldState::Pending => { (deny(hold)) (choices(hold)) }
                HoldState::Scheduled => (cancel_form(hold, now)),
                state => p { "This hold is " strong { (state.word()) } "." },
            }
            @if let Some(outcome) = &hold.outcome { p { (render::line(outcome)) } }
        }
    }
}

fn deny(hold: &Hold) -> Markup {
    let asked = hold.card.choices.len().saturating_sub(1);
    let wish = json!({"wish": "judge", "holds": [[hold.id, asked]], "decision": "deny"});
    html! {
        form.deny data-ceremony=(wish) data-next="/" {
            button.primary.always disabled { "Deny" }
            label { span { "What the agent is told" }
                input name="reason" maxlength="300" autocomplete="off" placeholder="optional"; }
            (ceremony_foot())
        }
    }
}

fn choices(hold: &Hold) -> Markup {
    let asked = hold.card.choices.len().saturating_sub(1);
    html! {
        @for (index, choice) in hold.card.choices.iter().enumerate() {
            div.choice.instead[index < asked] {
                h3 { @if index < asked { "Instead: " } (render::line(&choice.title)) }
                @if choice.shown == hold.card.operation {
                    p.aside { "Sends exactly what is shown above." }
                } @else {
                    (render::block(&choice.shown))
                }
                (terms(&hold.card, &choice.document))
                (approve(hold, index, choice))
            }
        }
    }
}

fn approve(hold: &Hold, index: usize, choice: &Choice) -> Markup {
    let wish = json!({
        "wish": "judge",
        "holds": [[hold.id, index]],
        "decision": "approve",
        "shown": [choice.document.digest()],
    });
    let asked = index + 1 == hold.card.choices.len();
    html! {
        @match approvable(hold, index) {
            Ok(_) => form data-ceremony=(wish) data-next="/" {
                button disabled {
                    @if asked { "Approve once, as asked" } @else { "Approve this instead: " (render::line(&choice.title)) }
                }
                (ceremony_foot())
            },
            Err(why) => p.problem { "No approval here: " (why) "." },
        }
    }
}

/// What is imposed, and what makes the approval void: all of it is signed.
pub(crate) fn terms(card: &Card, document: &ApprovalDocument) -> Markup {
    let places = &document.ceilings.places;
    html! {
        ul.terms {
            @for (resource, ids) in places { (reach(card, resource, ids, places.len() > 1)) }
            @if document.approvals > 1 { li { strong { (document.approvals) " people" } " have to agree" } }
            @if document.delay_ms > 0 {
                li { "runs " strong { (render::span_ms(document.delay_ms)) } " after the last approval; \
                    anyone may cancel until then" }
            }
            @for safeguard in &document.safeguards {
                @if let Some(sentence) = imposed(*safeguard) { li { (sentence) } }
            }
            @for (of, most) in &document.ceilings.counts {
                li { "void above " (render::amount(*most, of)) }
            }
            li.aside { "void for any other resource or environment; signed as "
                code { (document.digest().short()) } }
        }
    }
}

/// Where a choice would reach, by the ids that are signed.
fn reach(card: &Card, resource: &str, ids: &BTreeSet<String>, of_several: bool) -> Markup {
    let places = card.targets.iter().flat_map(|target| &target.places);
    let known: Vec<_> = places.collect();
    html! {
        @if ids.is_empty() { li { (render::line(resource)) " wherever it is: it was not found" } }
        @for id in ids {
            li {
                @match known.iter().find(|labelled| labelled.place.id == *id) {
                    Some(labelled) => (place(labelled)),
                    None => { "environment " code.id { (render::line(id)) } ", not among those above" }
                }
                @if of_several { ": " code { (render::line(resource)) } }
            }
        }
    }
}

/// Asking and delaying are said with their numbers.
const fn imposed(safeguard: Safeguard) -> Option<&'static str> {
    match safeguard {
        Safeguard::Redact => Some("secrets are taken out of the answer"),
        Safeguard::BeforeImage => Some("what changes is copied first"),
        Safeguard::SoftVariant => Some("the soft variant runs instead"),
        Safeguard::Snapshot => Some("a verified snapshot is taken first; without it nothing runs"),
        Safeguard::Trial => Some("tried in a transaction and measured before it commits"),
        Safeguard::Delay | Safeguard::AskOne | Safeguard::AskTwo => None,
    }
}
