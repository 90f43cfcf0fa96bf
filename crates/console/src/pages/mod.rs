//! Pages, whole on the server: they read well without any script.

pub(crate) mod assets;
pub(crate) mod card;
pub(crate) mod change;
pub(crate) mod entry;
pub(crate) mod inbox;
pub(crate) mod judge;
pub(crate) mod proposal;

use axum::response::Html;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use tagout_core::card::Hold;
use tagout_core::desk::{SignedIn, Standing};
use tagout_core::proposal::Proposal;

use crate::{render, watch};

/// A page, or why there is none.
pub(crate) type Page = Result<Html<String>, crate::refusal::PageRefusal>;

/// What every full page begins with.
pub(crate) struct Frame<'a> {
    /// For the window's title.
    pub(crate) title: &'a str,
    /// How the gateway stands.
    pub(crate) standing: &'a Standing,
    /// Who looks at it.
    pub(crate) person: Option<&'a SignedIn>,
    /// What the page shows, so that the script can tell when it is out of date.
    pub(crate) watch: Option<Watch>,
}

/// What a page shows, and the mark that it had when it was drawn.
pub(crate) struct Watch {
    address: String,
    mark: String,
}

impl Watch {
    /// A page with lists of everything.
    pub(crate) fn inbox(holds: &[Hold], proposals: &[Proposal]) -> Self {
        Self {
            address: "/api/v1/standing".to_owned(),
            mark: watch::of_inbox(holds, proposals),
        }
    }

    /// A page on which these holds are judged.
    pub(crate) fn card(holds: &[Hold]) -> Self {
        let ids: Vec<_> = holds.iter().map(|hold| hold.id.as_str()).collect();
        Self {
            address: format!("/api/v1/standing?holds={}", ids.join(",")),
            mark: watch::of_card(holds),
        }
    }
}

impl Frame<'_> {
    /// The page around `body`.
    pub(crate) fn around(&self, body: &Markup) -> Html<String> {
        let watch = self.watch.as_ref();
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                (head(self.title))
                body data-watch=[watch.map(|w| &w.address)] data-mark=[watch.map(|w| &w.mark)] {
                    a.skip href="#main" { "Skip to content" }
                    (self.header())
                    (self.banners())
                    div #news role="status" aria-live="polite" {}
                    main #main { (body) }
                }
            }
        };
        Html(page.into_string())
    }

    fn header(&self) -> Markup {
        let standing = self.standing;
        html! {
            header.top {
                a.brand href="/" { (LOCK) "Tagout" }
                @if let Some(person) = self.person {
                    nav aria-label="Pages" {
                        a href="/" { (render::counted(standing.pending, "hold")) }
                        @if standing.proposals > 0 {
                            a href="/#proposals" { (render::counted(standing.proposals, "proposal")) }
                        }
                        a href="/passkeys" { "Passkeys" }
                    }
                    form.who method="post" action="/sign-out" {
                        span.name { (render::text(&person.name)) }
                        button.quiet { "Sign out" }
                    }
                    (freeze_form())
                }
            }
        }
    }

    fn banners(&self) -> Markup {
        let standing = self.standing;
        html! {
            @if let Some((freeze, since, by)) = &standing.frozen {
                section.banner.frozen aria-label="Frozen" {
                    p { strong { "Frozen" } " since " (render::moment(*since))
                        @if self.person.is_some() { " by " (render::text(by)) }
                        ". Nothing runs for any agent." }
                    @if self.person.is_some() {
                        form method="post" action="/thaw" {
                            input type="hidden" name="freeze" value=(freeze);
                            button { "Propose to thaw" }
                        }
                    }
                }
            }
            @if let Some(why) = &standing.advisory {
                section.banner.advisory aria-label="Advisory" {
                    p { strong { "Advisory only. " } (render::line(why)) }
                }
            }
        }
    }
}

/// One action from everywhere, without a question back.
fn freeze_form() -> Markup {
    html! {
        form.freeze method="post" action="/freeze" {
            label { span.hidden { "Why (optional)" }
                input name="reason" placeholder="why (optional)" maxlength="200" autocomplete="off"; }
            button.danger { "Freeze all agents" }
        }
    }
}

/// A page without a frame, for refusals.
pub(crate) fn bare(title: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            (head(title))
            body {
                header.top { a.brand href="/" { (LOCK) "Tagout" } }
                main #main { (body) }
            }
        }
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            title { (title) " · Tagout" }
            link rel="stylesheet" href="/console.css";
            script src="/console.js" defer {}
        }
    }
}

/// A padlock with a tag.
const LOCK: PreEscaped<&str> = PreEscaped(
    "<svg viewBox=\"0 0 20 20\" width=\"20\" height=\"20\" aria-hidden=\"true\">\
     <path d=\"M5 9V6a5 5 0 0 1 10 0v3h1v10H4V9zm2 0h6V6a3 3 0 0 0-6 0z\" fill=\"currentColor\"/></svg>",
);

/// `next` if it is a plain path of this site, else `/`: links must not lead elsewhere after signing in.
pub(crate) fn local_path(next: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_?=,".contains(&byte);
    let local = next.starts_with('/') && !next.starts_with("//");
    if local && next.bytes().all(plain) {
        next
    } else {
        "/"
    }
}

/// Where a refused or failed ceremony is explained, and what to do without a script.
pub(crate) fn ceremony_foot() -> Markup {
    html! {
        p.problem role="alert" {}
        noscript { p.problem { "Deciding takes a passkey, and browsers reach passkeys by script only." } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_paths_of_this_site_are_followed() {
        for (next, followed) in [
            ("/holds/hold_1", "/holds/hold_1"),
            ("/holds/judge?ids=a,b", "/holds/judge?ids=a,b"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/x\r\nset-cookie: a=b", "/"),
            ("javascript:alert(1)", "/"),
            ("", "/"),
        ] {
            assert_eq!(local_path(next), followed, "{next:?}");
        }
    }
}
