//! One proposed change: what it means, and all of it.

use axum::extract::{Extension, Path, State};
use maud::{Markup, html};
use serde_json::json;
use tagout_core::canonical::canonical_text;
use tagout_core::desk::{DeskError, SignedIn};
use tagout_core::proposal::{PROPOSAL_LIFE_MS, Proposal, ProposalState};
use tagout_core::time::UnixMs;
use tagout_core::untrusted::Untrusted;

use crate::{Console, render};

use super::{Frame, Page, ceremony_foot, change};

/// The longest change that counts as shown whole.
const SHOWN_LIMIT_BYTES: usize = 256 * 1024;

/// One proposal, to accept or refuse.
pub(crate) async fn page(
    State(console): State<Console>,
    Extension(person): Extension<SignedIn>,
    Path(id): Path<String>,
) -> Page {
    let standing = console.desk.standing().await;
    let proposals = console.desk.proposals().await?;
    let found = proposals.iter().find(|one| one.id.as_str() == id);
    let proposal = found.ok_or(DeskError::NotFound("open proposal"))?;
    let frame = Frame {
        title: "Proposed change",
        standing: &standing,
        person: Some(&person),
        watch: None,
    };
    Ok(frame.around(&whole(proposal, standing.now)))
}

fn whole(proposal: &Proposal, now: UnixMs) -> Markup {
    let canonical = canonical_text(&proposal.change);
    let expires = proposal.created.plus_ms(PROPOSAL_LIFE_MS);
    html! {
        article.card.proposal {
            header.what {
                p.aside { "proposed change" }
                h1 { (change::title(&proposal.change)) }
                p.why { (change::meaning(&proposal.change)) }
            }
            (change::details(&proposal.change))
            section {
                h2 { "All of it, as it is signed" }
                (render::block(&Untrusted::from(canonical.as_str())))
                p.aside { "signed as " code { (proposal.change.digest().short()) } }
            }
            p { "Proposed by " (render::text(&proposal.from)) " "
                (render::mark(tagout_core::resolved::Provenance::Claimed))
                " at " (render::moment(proposal.created)) }
            p.left { strong { (render::span_ms(expires.since_ms(now))) } " left, then it is refused by itself." }
            (decide(proposal, canonical.len()))
        }
    }
}

fn decide(proposal: &Proposal, length: usize) -> Markup {
    let wish = |decision| json!({"wish": "settle", "proposal": proposal.id, "decision": decision});
    html! {
        section.decide aria-label="Decide" {
            @if proposal.state == ProposalState::Open {
                form.deny data-ceremony=(wish("deny")) data-next="/" {
                    button.primary disabled { "Refuse" }
                    (ceremony_foot())
                }
                @if length <= SHOWN_LIMIT_BYTES {
                    form data-ceremony=(wish("approve")) data-next="/" {
                        button disabled { "Accept this change" }
                        (ceremony_foot())
                    }
                } @else {
                    p.problem { "It is too long to be read here, so it can't be accepted here." }
                }
            } @else {
                p { "This proposal is settled." }
            }
        }
    }
}
