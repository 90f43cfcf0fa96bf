//! Holds and proposals as the engine would make them.

use std::collections::BTreeSet;

use tagout_core::approval::{ApprovalDocument, Ceilings};
use tagout_core::card::{Card, CardTarget, Choice, Hold};
use tagout_core::digest::{BytesDigest, OperationDigest, PolicyDigest};
use tagout_core::effect::Reversibility;
use tagout_core::environment::{Environment, Place};
use tagout_core::grant::Spending;
use tagout_core::hold::{HOLD_LIFE_MS, HoldState};
use tagout_core::ids::{ConnectionId, GrantId, HoldId, UpstreamName};
use tagout_core::resolved::{Fact, Labelled, Provenance};
use tagout_core::untrusted::Untrusted;
use tagout_core::verdict::Safeguard;

use super::desk::NOW;

const VOLUME: &str = "3d2c42fb-6f5e-4a2e-9d57-2f9a0c1e77aa";

pub(crate) fn railway() -> UpstreamName {
    "railway".parse().unwrap()
}

fn operation(id: &str) -> String {
    format!("POST /graphql/v2\n\nmutation {{\n  volumeDelete(volumeId: \"{id}\")\n}}")
}

fn place(id: &str, name: &str, environment: Environment) -> Labelled {
    let place = Place {
        id: id.into(),
        name: name.into(),
        project: Some("pocket-os".into()),
        ephemeral: false,
    };
    Labelled { place, environment }
}

fn fact(label: &str, value: &str, provenance: Provenance) -> Fact {
    Fact {
        label: label.into(),
        value: value.into(),
        provenance,
    }
}

fn target(id: &str) -> CardTarget {
    CardTarget {
        effect: "destroy".into(),
        resource: format!("volume:{id}").into(),
        name: Some("postgres-data".into()),
        places: vec![
            place("2f6c0b1e", "production", Environment::Production),
            place("91aa77d0", "staging", Environment::Staging),
        ],
        facts: vec![
            fact("size", "41.3 GB", Provenance::Resolved),
            fact("backups that go with it", "4", Provenance::Resolved),
            fact("attached to", "service postgres", Provenance::Resolved),
        ],
        why: "volumeDelete removes the volume in every environment, with its backups".into(),
    }
}

pub(crate) fn choice(hold: &HoldId, title: &str, shown: &str, variant: bool) -> Choice {
    let mut places: BTreeSet<String> = ["91aa77d0".into()].into();
    if !variant {
        places.insert("2f6c0b1e".into());
    }
    let ceilings = Ceilings {
        places: [(format!("volume:{VOLUME}"), places)].into(),
        counts: [("backups".into(), 5)].into(),
    };
    let document = ApprovalDocument {
        hold: hold.clone(),
        upstream: railway(),
        operation: OperationDigest::of(b"operation"),
        bytes: BytesDigest::of(shown.as_bytes()),
        variant: variant.then(|| title.to_owned()),
        shown: shown.to_owned(),
        ceilings,
        safeguards: BTreeSet::from([Safeguard::AskOne, Safeguard::Delay]),
        approvals: 1,
        delay_ms: 72 * 3_600_000,
        policy: PolicyDigest::of(b"policy"),
        expires: NOW.plus_ms(15 * 60_000),
    };
    Choice {
        title: title.into(),
        shown: shown.into(),
        document,
    }
}

/// The agent of April wants to delete the volume in which everything is.
pub(crate) fn volume_delete(number: u8) -> Hold {
    let id = HoldId::from_bits([number; 16]);
    let asked = operation(VOLUME);
    let safer = format!(
        "POST /graphql/v2\n\nmutation {{\n  volumeDelete(volumeId: \"{VOLUME}\", environmentId: \"91aa77d0\")\n}}"
    );
    let card = Card {
        hold: id.clone(),
        headline: "destroy volume \"postgres-data\" in production, staging".into(),
        environment: Environment::Production,
        targets: vec![target(VOLUME)],
        reversibility: Reversibility::Irreversible,
        reason: "destroying what can't be brought back takes a person in production".into(),
        operation: asked.as_str().into(),
        agent: "cursor in pocket-os".into(),
        connection: ConnectionId::from_bits([7; 16]),
        task: Some("fix the credential mismatch in staging".into()),
        strays: "The task covers staging; this reaches production as well.".into(),
        precedent: Vec::new(),
        claimed: Some("The volume is orphaned, deleting it fixes the mismatch.".into()),
        notices: Vec::new(),
        choices: vec![
            choice(&id, "delete in staging only", &safer, true),
            choice(&id, "delete the volume", &asked, false),
        ],
        expires: NOW.plus_ms(HOLD_LIFE_MS - 60_000),
    };
    Hold {
        id,
        state: HoldState::Pending,
        operation: OperationDigest::of(&[number]),
        connection: card.connection.clone(),
        grant: Some(GrantId::from_bits([9; 16])),
        upstream: railway(),
        attempt: String::new(),
        spending: Spending::default(),
        card,
        approvals: Vec::new(),
        created: NOW,
        approved: None,
        run_at: None,
        outcome: None,
    }
}

/// Another delete of the same task, with one choice.
pub(crate) fn service_delete(number: u8, name: &str) -> Hold {
    let mut hold = volume_delete(number);
    let asked = format!("DELETE /v1/sites/{name}-{number}");
    hold.card.headline = format!("destroy site \"{name}\" in production").into();
    hold.card.operation = asked.as_str().into();
    let mut only = choice(&hold.id, "delete the site", &asked, false);
    let place = (format!("site:{name}-{number}"), ["2f6c0b1e".into()].into());
    only.document.ceilings.places = [place].into();
    only.document.ceilings.counts = [("objects".into(), 2)].into();
    only.document.safeguards = [Safeguard::AskOne].into();
    only.document.delay_ms = 0;
    hold.card.choices = vec![only];
    hold.card.targets[0].name = Some(name.into());
    hold.card.targets[0].resource = format!("site:{name}-{number}").into();
    hold.card.targets[0].places.truncate(1);
    hold.card.targets[0].facts = vec![fact("requests today", "0", Provenance::Resolved)];
    hold.card.targets[0].why = "DELETE on a site removes it with its deployments".into();
    hold.card.strays = String::new();
    hold
}

/// A hold with hostile text wherever text comes from outside.
pub(crate) fn hostile(number: u8, text: &str) -> Hold {
    let mut hold = volume_delete(number);
    let untrusted = || Some(Untrusted::from(text));
    let card = &mut hold.card;
    card.headline = text.into();
    card.agent = text.into();
    card.task = untrusted();
    card.claimed = untrusted();
    card.operation = text.into();
    (card.reason, card.strays) = (text.into(), text.into());
    card.precedent = vec![text.into()];
    card.notices = vec![text.into()];
    card.choices = vec![choice(&hold.id, text, text, false)];
    let target = &mut card.targets[0];
    (target.name, target.resource, target.why) = (untrusted(), text.into(), text.into());
    target.facts = vec![fact(text, text, Provenance::Resolved)];
    let place = &mut target.places[0].place;
    (place.id, place.name, place.project) = (text.into(), text.into(), untrusted());
    hold.outcome = Some(text.into());
    hold
}
