//! What each kind of change means, in words.

use maud::{Markup, html};
use tagout_core::environment::Environment;
use tagout_core::grant::Budget;
use tagout_core::proposal::{Change, Upstream};
use tagout_core::rights::{Among, Clause, Rights};
use tagout_core::untrusted::Untrusted;
use tagout_core::verdict::Mode;

use crate::render;

/// One line for lists.
pub(crate) fn title(change: &Change) -> Markup {
    match change {
        Change::Connect { agent, .. } => html! { "Connect agent " (render::text(agent)) },
        Change::OpenGrant { task, .. } => html! { "Grant for the task " (render::text(task)) },
        Change::Label {
            name, environment, ..
        } => html! { (render::text(name)) " is " (render::environment(*environment)) },
        Change::Upstream(upstream) => html! { "Upstream " (upstream.name) },
        Change::Policies { files } => {
            html! { "Replace policies by " (render::counted(files.len(), "file")) }
        }
        Change::Thaw { .. } => html! { "End the freeze" },
        Change::Authenticator { name, .. } => html! { "A passkey for " (render::text(name)) },
    }
}

/// What accepting it brings about.
pub(crate) fn meaning(change: &Change) -> &'static str {
    match change {
        Change::Connect { .. } => "A new agent gets a token and the standing rights below.",
        Change::OpenGrant { .. } => "An agent gets the rights below, on top of its standing ones.",
        Change::Label { environment, .. } => label_meaning(*environment),
        Change::Upstream(upstream) => mode_meaning(upstream.mode),
        Change::Policies { .. } => {
            "These files replace every policy accepted before, beside the default pack."
        }
        Change::Thaw { .. } => "Agents go on working at once, and what is scheduled runs.",
        Change::Authenticator { .. } => {
            "Whoever holds this passkey can see, approve and accept everything here."
        }
    }
}

const fn label_meaning(environment: Environment) -> &'static str {
    match environment {
        Environment::Production | Environment::Unknown => {
            "It is guarded by the rules of production."
        }
        Environment::Staging | Environment::Development => {
            "It is no longer guarded as production: most of what agents do there runs without asking."
        }
    }
}

const fn mode_meaning(mode: Mode) -> &'static str {
    match mode {
        Mode::Observe => {
            "Agents reach it with its credential, and NOTHING IS HELD: everything passes and is recorded."
        }
        Mode::Guard | Mode::Strict => {
            "Agents reach it with its credential, and the policy decides on everything they do."
        }
    }
}

/// Every field, for reading.
pub(crate) fn details(change: &Change) -> Markup {
    match change {
        Change::Connect {
            id,
            agent,
            workspace,
            rights: allowed,
            budget: most,
        } => html! {
            dl.facts { (row("agent", &render::text(agent))) (row("workspace", &render::text(workspace)))
                (row("connection", &code(id.as_str()))) }
            (rights(allowed)) (budget(most))
        },
        Change::OpenGrant {
            id,
            connection,
            parent,
            task,
            rights: allowed,
            budget: most,
            life_ms,
        } => html! {
            dl.facts { (row("task", &render::text(task))) (row("connection", &code(connection.as_str())))
                (row("grant", &code(id.as_str())))
                @if let Some(parent) = parent { (row("below", &code(parent.as_str()))) }
                (row("for", &html! { (render::span_ms(*life_ms)) " from acceptance" })) }
            (rights(allowed)) (budget(most))
        },
        Change::Label {
            upstream,
            place,
            name,
            environment,
        } => html! {
            dl.facts { (row("upstream", &code(upstream.as_str()))) (row("environment id", &code(place)))
                (row("called there", &render::text(name)))
                (row("counts as", &render::environment(*environment))) }
        },
        Change::Upstream(upstream) => upstream_details(upstream),
        Change::Policies { files } => html! {
            @for (name, text) in files {
                h3 { (render::line(name)) }
                (render::block(&Untrusted::from(text.as_str())))
            }
        },
        Change::Thaw { freeze } => html! { dl.facts { (row("freeze", &code(freeze.as_str()))) } },
        Change::Authenticator {
            id,
            person,
            name,
            credential,
            public_key,
        } => html! {
            dl.facts { (row("person", &html! { (render::text(name)) " " (code(person.as_str())) }))
                (row("passkey", &code(id.as_str()))) (row("credential", &code(credential)))
                (row("public key", &code(public_key))) }
        },
    }
}

fn upstream_details(upstream: &Upstream) -> Markup {
    let mode = match upstream.mode {
        Mode::Observe => "observe",
        Mode::Guard => "guard",
        Mode::Strict => "strict",
    };
    html! {
        dl.facts {
            (row("address", &code(&upstream.url)))
            @for alias in &upstream.aliases { (row("also", &code(alias))) }
            (row("pack", &code(&upstream.pack)))
            (row("credential from", &code(&upstream.credential)))
            (row("sent in", &code(&upstream.header)))
            @if let Some(file) = &upstream.ca_file { (row("trusts besides", &code(file))) }
            (row("mode", &html! { strong { (mode) } }))
        }
    }
}

fn row(label: &str, value: &Markup) -> Markup {
    html! { div { dt { (label) } dd { (value) } } }
}

fn code(text: &str) -> Markup {
    html! { code.id { (render::line(text)) } }
}

fn rights(rights: &Rights) -> Markup {
    html! {
        div.scroll {
            table {
                caption { "Rights" }
                thead { tr { th { "May" } th { "On" } th { "In" } th { "At" } } }
                tbody { @for clause in &rights.0 { (clause_row(clause)) } }
            }
        }
    }
}

fn clause_row(clause: &Clause) -> Markup {
    html! {
        tr {
            td { @for effect in &clause.effects {
                span class={ "effect " (effect.word()) } { (effect.word()) } " " } }
            td { @for resource in &clause.resources { (code(&resource.to_string())) " " } }
            td { @for environment in &clause.environments { (render::environment(*environment)) " " } }
            td {
                @match &clause.upstreams {
                    Among::All => "every upstream",
                    Among::Only(names) => @for name in names { (code(name.as_str())) " " },
                }
            }
        }
    }
}

fn budget(budget: &Budget) -> Markup {
    html! {
        p { "Budget: "
            @if budget.0.is_empty() { "none besides the policy's caps" }
            @for (effect, most) in &budget.0 { (effect.word()) " ≤ " strong { (most) } "  " }
        }
    }
}
