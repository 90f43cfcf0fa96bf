//! Telling the story as it happens: for people with pauses, for programs as JSON lines.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tagout_core::untrusted::Untrusted;
use tagout_stage::Heard;

use crate::commands::put;
use crate::demo::cast::Cast;

/// Who tells.
pub(crate) struct Narrator {
    json: bool,
    pause: Duration,
    began: Instant,
}

/// How long a viewer gets to read a step.
const PAUSE: Duration = Duration::from_millis(1_600);

impl Narrator {
    pub(crate) fn new(json: bool, fast: bool) -> Self {
        let pause = if json || fast { Duration::ZERO } else { PAUSE };
        Self {
            json,
            pause,
            began: Instant::now(),
        }
    }

    pub(crate) fn event(&self, kind: &str, members: &Value, text: &str) {
        if self.json {
            let at_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
            let mut event = json!({"event": kind, "at_ms": at_ms});
            if let (Some(event), Some(members)) = (event.as_object_mut(), members.as_object()) {
                event.extend(members.clone());
            }
            put(&event.to_string());
        } else {
            put(text);
            std::thread::sleep(self.pause);
        }
    }

    pub(crate) fn title(&self, text: &str) {
        self.event("title", &json!({"text": text}), &format!("\n{text}\n"));
    }

    pub(crate) fn act(&self, name: &str, text: &str) {
        self.event(
            "act",
            &json!({"name": name, "text": text}),
            &format!("\n── {name} ──\n{text}"),
        );
    }

    pub(crate) fn say(&self, text: &str) {
        self.event("say", &json!({"text": text}), text);
    }

    /// What the agent sent, and what it heard.
    pub(crate) fn heard(&self, sent: &str, heard: &Heard) {
        let line = Untrusted::new(heard.line()).cut(400);
        let members =
            json!({"sent": sent, "status": heard.status, "code": heard.code(), "line": line});
        self.event(
            "agent",
            &members,
            &format!("  agent  → {}\n  tagout ← {line}", Untrusted::new(sent)),
        );
    }

    /// The card, as the person sees it first.
    pub(crate) fn card(&self, hold: &Value) {
        let text = |pointer: &str| {
            let value = hold
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or_default();
            Untrusted::new(value).to_string()
        };
        let mut lines = vec![format!("  ┌ {}", text("/card/headline"))];
        let facts = hold
            .pointer("/card/targets/0/facts")
            .and_then(Value::as_array);
        for fact in facts.into_iter().flatten().take(4) {
            lines.push(format!(
                "  │ {}: {} ({})",
                plain(fact, "label"),
                plain(fact, "value"),
                plain(fact, "provenance")
            ));
        }
        lines.push(format!(
            "  │ {}; {}",
            text("/card/reversibility"),
            text("/card/reason")
        ));
        for choice in hold
            .pointer("/card/choices")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            lines.push(format!("  │ ▸ {}", plain(choice, "title")));
        }
        lines.push("  └ deny".to_owned());
        self.event("card", &json!({"hold": hold}), &lines.join("\n"));
    }

    pub(crate) fn ending(&self, cast: &Cast, untouched: bool, ledger: &str) {
        let mutations = cast.railway.mutations();
        let text = format!(
            "\n── The end ──\nProduction's volume and its four backups are {}.\nWhat reached the provider besides reads: {}.\n{ledger}.",
            if untouched {
                "there, untouched"
            } else {
                "NOT as they were"
            },
            if mutations.is_empty() {
                "nothing".to_owned()
            } else {
                mutations.join(", ")
            },
        );
        let members = json!({"untouched": untouched, "mutations": mutations, "ledger": ledger});
        self.event("end", &members, &text);
    }

    pub(crate) fn your_turn(&self, link: &str) {
        self.say(&format!(
            "\n── Your turn ──\nOne more request waits. Join in a browser on this machine, with a passkey of your own (ten minutes):\n\n    {link}\n\nCtrl-C ends the demo."
        ));
    }
}

fn plain(value: &Value, member: &str) -> String {
    let text = value
        .get(member)
        .and_then(Value::as_str)
        .unwrap_or_default();
    Untrusted::new(text).to_string()
}
