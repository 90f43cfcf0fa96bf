//! Asking Cedar: would these policies permit it, if this much had been done?

use cedar_policy_core::ast::{Literal, SlotEnv, Value, ValueKind};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use crate::facts::{Done, Facts};
use crate::question::{Evidence, Question};
use crate::rule::Rule;
use crate::safeguards::SafeguardSet;
use crate::set::PolicySet;

/// What the policies say to one question with one amount of safeguards.
#[derive(Debug)]
pub(crate) enum Answer<'a> {
    /// By these policies, at least one.
    Permitted(Vec<&'a Rule>),
    /// By this policy.
    Forbidden(&'a Rule),
    /// No policy permits it.
    NotPermitted,
    /// A policy could not be evaluated. Cedar would skip it; we never do.
    Broken(String),
}

/// A question, and the policies that can apply to it.
pub(crate) struct Prober<'a> {
    facts: Facts,
    rules: Vec<Candidate<'a>>,
}

struct Candidate<'a> {
    rule: &'a Rule,
    /// What it said so far, by those of the supposed safeguards that it looks at. The others cannot
    /// change what it says.
    said: Vec<(SafeguardSet, bool)>,
}

impl<'a> Prober<'a> {
    /// Finds the policies that can apply.
    ///
    /// # Errors
    /// Where the question could not be put to Cedar.
    pub(crate) fn new(question: &Question, set: &'a PolicySet) -> Result<Self, String> {
        let facts = Facts::of(question, &set.names, &set.caps)?;
        let found = set
            .index
            .candidates(question.effect, &facts.principals, &facts.resources);
        let mut rules: Vec<_> = found
            .into_iter()
            .filter_map(|position| set.rules.get(position))
            .map(|rule| Candidate {
                rule,
                said: Vec::new(),
            })
            .collect();
        // Forbids first, and of these first what no safeguard can move: the sooner it is settled.
        rules.sort_by_key(|candidate| (!candidate.rule.forbids, !candidate.rule.reads.is_empty()));
        Ok(Self { facts, rules })
    }

    /// The safeguards that can change the answer: those that some policy looks at.
    pub(crate) fn worth_trying(&self) -> SafeguardSet {
        let seen = self.rules.iter().map(|candidate| candidate.rule.reads);
        seen.fold(SafeguardSet::NONE, SafeguardSet::union)
    }

    /// Asks, supposing these safeguards.
    pub(crate) fn supposing(&mut self, safeguards: SafeguardSet) -> Answer<'a> {
        let mut asking = Asking::new(&self.facts, Done::supposing(safeguards));
        answer(self.rules.iter_mut().map(|candidate| {
            let key = safeguards.intersection(candidate.rule.reads);
            let known = candidate.said.iter().find(|(seen, _)| *seen == key);
            let applies = match known {
                Some((_, applies)) => *applies,
                None => asking.applies(candidate.rule)?,
            };
            if known.is_none() {
                candidate.said.push((key, applies));
            }
            Ok((candidate.rule, applies))
        }))
    }

    /// Asks, with what really was done and nothing supposed.
    pub(crate) fn really(&self, evidence: &Evidence) -> Answer<'a> {
        let mut asking = Asking::new(&self.facts, Done::really(evidence));
        answer(self.rules.iter().map(|candidate| {
            let applies = asking.applies(candidate.rule)?;
            Ok((candidate.rule, applies))
        }))
    }
}

/// What single policies amount to: a forbid that applies wins, then any permit. An error denies, and
/// so does a forbid before it; nothing is permitted until every policy has been asked.
fn answer<'a>(said: impl Iterator<Item = Result<(&'a Rule, bool), String>>) -> Answer<'a> {
    let mut permits = Vec::new();
    for one in said {
        match one {
            Err(policy) => return Answer::Broken(policy),
            Ok((rule, true)) if rule.forbids => return Answer::Forbidden(rule),
            Ok((rule, true)) => permits.push(rule),
            Ok((_, false)) => {}
        }
    }
    if permits.is_empty() {
        Answer::NotPermitted
    } else {
        Answer::Permitted(permits)
    }
}

/// One request to Cedar, made when the first policy has to be asked.
struct Asking<'a> {
    facts: &'a Facts,
    done: Done,
    evaluator: Option<Evaluator<'a>>,
}

impl<'a> Asking<'a> {
    const fn new(facts: &'a Facts, done: Done) -> Self {
        Self {
            facts,
            done,
            evaluator: None,
        }
    }

    /// Whether one policy applies, by Cedar. An error is never taken for *no*, nor is anything else than a
    /// plain answer.
    fn applies(&mut self, rule: &Rule) -> Result<bool, String> {
        let evaluator = match self.evaluator.take() {
            Some(evaluator) => evaluator,
            None => self.put()?,
        };
        let said = evaluator.interpret(&rule.condition, &SlotEnv::new());
        self.evaluator = Some(evaluator);
        match said.as_ref().map(Value::value_kind) {
            Ok(ValueKind::Lit(Literal::Bool(applies))) => Ok(*applies),
            Ok(_) | Err(_) => Err(rule.id.clone()),
        }
    }

    fn put(&self) -> Result<Evaluator<'a>, String> {
        let request = self.facts.request(&self.done)?;
        let extensions = Extensions::all_available();
        Ok(Evaluator::new(request, &self.facts.entities, extensions))
    }
}
