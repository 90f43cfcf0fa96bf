//! Cedar over the whole set as oracle: neither the index, nor asking policies one by one, nor
//! remembering what they said may change an answer; and what we ask is what the schema says.

use std::mem::discriminant;

use cedar_policy::{Authorizer, Decision, Entities, Entity, Request};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::verdict::Safeguard;

use crate::caps::Caps;
use crate::common::{OFFERS, any_question};
use crate::facts::{Done, Facts};
use crate::probe::{Answer, Prober};
use crate::question::Question;
use crate::safeguards::SafeguardSet;
use crate::set::{PolicySet, schema};
use crate::source::Source;

/// Policies of every shape of scope and with every way to look at the context.
fn any_policy() -> impl Strategy<Value = String> {
    let who = select(vec![
        "principal",
        "principal == Agent::\"cursor\"",
        "principal in Person::\"someone\"",
        "principal in Person::\"else\"",
        "principal is Agent in Connection::\"conn_0\"",
        "principal is Agent",
    ]);
    let what = select(vec![
        "action",
        "action == Action::\"destroy\"",
        "action == Action::\"read\"",
        "action in [Action::\"write\", Action::\"emit\", Action::\"opaque\", Action::\"write\"]",
    ]);
    let to = select(vec![
        "resource",
        "resource == Resource::\"railway/volume:one\"",
        "resource in Upstream::\"railway\"",
        "resource in Kind::\"volume\"",
        "resource in Kind::\"service\"",
        "resource is Resource in Upstream::\"other\"",
    ]);
    let condition = select(vec![
        "context.approvals >= 1",
        "context.snapshot && context.waited_hours >= 24",
        "context.members < 50 || context.before_image",
        "resource.environment == \"production\"",
        "(if context.redacted then context else context).soft_variant",
        "[context.approvals, context.waited_hours].contains(2)",
        "{\"Var\": context.trial, \"left\": 1}.Var",
        "context.within_caps && !context.contained",
        "principal has task && context.members + 9223372036854775000 > 0",
    ]);
    (any::<bool>(), who, what, to, condition).prop_map(|(permits, who, what, to, condition)| {
        let effect = if permits { "permit" } else { "forbid" };
        format!("{effect} ({who}, {what}, {to}) when {{ {condition} }};")
    })
}

fn any_safeguards() -> impl Strategy<Value = SafeguardSet> {
    let all: Vec<_> = SafeguardSet::ALL.subsets().collect();
    select(all)
}

fn a_question() -> impl Strategy<Value = Question> {
    (any_question(), any::<bool>()).prop_map(|(question, known)| {
        let mut question = question;
        if known {
            let plain = crate::common::plain(question.effect, question.environment);
            (question.asker, question.resource) = (plain.asker, plain.resource);
        }
        question
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn answers_are_those_of_cedar_over_the_whole_set(
        policies in vec(any_policy(), 1..12),
        question in a_question(),
        supposed in vec(any_safeguards(), 1..12),
    ) {
        let text: String = policies
            .iter()
            .enumerate()
            .map(|(number, body)| format!("@id(\"team.{number}\") @reason(\"r\") {body}\n"))
            .collect();
        let set = PolicySet::load(&[Source::new("team", text)], Caps::default()).unwrap();
        let mut prober = Prober::new(&question, &set).unwrap();
        for safeguards in supposed {
            let answer = prober.supposing(safeguards);
            agrees(&answer, &question, &Done::supposing(safeguards), &set)?;
        }
        let really = prober.really(&question.evidence);
        agrees(&really, &question, &Done::really(&question.evidence), &set)?;
    }

    #[test]
    fn what_is_asked_is_what_the_schema_says(question in any_question()) {
        let set = PolicySet::default_pack().unwrap();
        let schema = schema().unwrap();
        let facts = Facts::of(&question, &set.names, &set.caps).unwrap();
        let strict = Entities::from_entities(entities(&facts), Some(&schema));
        prop_assert!(strict.is_ok(), "{:?}", strict.err());
        let request = Request::from(facts.request(&Done::really(&question.evidence)).unwrap());
        let whole = Request::new(
            request.principal().unwrap().clone(),
            request.action().unwrap().clone(),
            request.resource().unwrap().clone(),
            request.context().unwrap().clone(),
            Some(&schema),
        );
        prop_assert!(whole.is_ok(), "{:?}", whole.err());
    }
}

/// As the outer interface has them.
fn entities(facts: &Facts) -> Vec<Entity> {
    facts.entities.iter().cloned().map(Entity::from).collect()
}

fn agrees(
    answer: &Answer<'_>,
    question: &Question,
    done: &Done,
    set: &PolicySet,
) -> Result<(), TestCaseError> {
    let whole =
        cedar_policy::PolicySet::from_policies(set.rules.iter().map(|rule| rule.policy.clone()))
            .unwrap();
    let facts = Facts::of(question, &set.names, &set.caps).unwrap();
    let request = Request::from(facts.request(done).unwrap());
    let entities = Entities::from_entities(entities(&facts), None).unwrap();
    let response = Authorizer::new().is_authorized(&request, &whole, &entities);
    let errors = response.diagnostics().errors().count();
    let mut reasons: Vec<_> = response
        .diagnostics()
        .reason()
        .map(ToString::to_string)
        .collect();
    reasons.sort();
    match answer {
        Answer::Permitted(rules) => {
            let mut ids: Vec<_> = rules.iter().map(|rule| rule.id.clone()).collect();
            ids.sort();
            prop_assert_eq!(response.decision(), Decision::Allow);
            prop_assert_eq!((ids, 0), (reasons, errors));
        }
        Answer::Forbidden(rule) => {
            prop_assert_eq!(response.decision(), Decision::Deny);
            prop_assert!(reasons.contains(&rule.id));
        }
        Answer::NotPermitted => {
            prop_assert_eq!(response.decision(), Decision::Deny);
            prop_assert_eq!((reasons.len(), errors), (0, 0));
        }
        Answer::Broken(_) => prop_assert!(errors > 0),
    }
    Ok(())
}

/// What was remembered of one supposition never answers another: for everything that a policy can look
/// at, and every supposition after all the others.
#[test]
fn remembering_changes_no_answer() {
    for condition in [
        "context.approvals == 0",
        "context.approvals >= 1",
        "context.approvals >= 2",
        "context.waited_hours >= 72",
        "context.redacted",
        "context.before_image",
        "context.soft_variant",
        "context.snapshot",
        "context.trial",
        "context.contained",
        "context.within_caps",
        "context.solo",
        "context.members > 1",
        "context.snapshot || context.approvals >= 2 && context.waited_hours < 1",
    ] {
        let text = format!(
            "@id(\"team\") @reason(\"r\") forbid (principal, action, resource) when {{ {condition} }};"
        );
        let set = PolicySet::load(&[Source::new("team", text)], Caps::default()).unwrap();
        let question = Question {
            members: 1000,
            ..crate::common::plain(Effect::Read, Environment::Production)
        };
        let mut remembering = Prober::new(&question, &set).unwrap();
        for safeguards in SafeguardSet::ALL.subsets() {
            let remembered = remembering.supposing(safeguards);
            let fresh = Prober::new(&question, &set).unwrap().supposing(safeguards);
            let same = discriminant(&remembered) == discriminant(&fresh);
            assert!(
                same,
                "{condition} {safeguards:?}: {remembered:?}, {fresh:?}"
            );
        }
    }
}

#[test]
fn a_set_is_shared_between_threads() {
    const fn shared<T: Send + Sync>() {}
    shared::<PolicySet>();
    assert!(
        OFFERS
            .iter()
            .all(|one| !SafeguardSet::ALWAYS_OFFERED.has(*one))
    );
    assert!(SafeguardSet::ALWAYS_OFFERED.has(Safeguard::Delay));
}
