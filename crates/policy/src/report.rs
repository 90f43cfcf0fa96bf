//! Running cases, and what to print of it.

use std::fmt;

use tagout_core::effect::Effect;
use tagout_core::environment::Environment;
use tagout_core::verdict::{Safeguard, Verdict};

use crate::cases::{Case, Cases};
use crate::decide::decide;
use crate::error::Place;
use crate::set::PolicySet;

const HOUR_MS: u64 = 60 * 60 * 1000;

/// A case that a set of policies does not satisfy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Where the case is.
    pub place: Place,
    /// Its name.
    pub name: String,
    /// For which effect.
    pub effect: Effect,
    /// In which environment.
    pub environment: Environment,
    /// What was expected and what came.
    pub what: String,
}

/// What running cases found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestReport {
    /// How many questions got the answer that they must.
    pub passed: usize,
    /// Those that did not.
    pub failures: Vec<Failure>,
}

/// Asks every case of these files.
#[must_use]
pub fn run_cases(policies: &PolicySet, files: &[Cases]) -> TestReport {
    let mut report = TestReport::default();
    for file in files {
        for (expected, group) in file.groups() {
            for case in group {
                report.ask(policies, file, expected, case);
            }
        }
    }
    report
}

impl TestReport {
    /// Whether there is no failure. Nothing asked is not a success.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.failures.is_empty() && self.passed > 0
    }

    fn ask(&mut self, policies: &PolicySet, file: &Cases, expected: &str, case: &Case) {
        for question in file.questions(case) {
            let verdict = decide(std::slice::from_ref(&question), policies);
            match complaint(case, expected, &verdict) {
                None => self.passed += 1,
                Some(what) => self.failures.push(Failure {
                    place: file.place(case),
                    name: case.name.get_ref().clone(),
                    effect: question.effect,
                    environment: question.environment,
                    what,
                }),
            }
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (place, name) = (&self.place, self.name.escape_debug());
        let (effect, environment) = (self.effect.word(), self.environment.word());
        let what = &self.what;
        write!(f, "{place}: {name} ({effect}, {environment}): {what}")
    }
}

impl fmt::Display for TestReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for failure in &self.failures {
            writeln!(f, "{failure}")?;
        }
        write!(f, "{} passed, {} failed", self.passed, self.failures.len())
    }
}

/// What is wrong with a verdict, if anything.
fn complaint(case: &Case, expected: &str, verdict: &Verdict) -> Option<String> {
    let seen = Seen::of(verdict);
    if verdict.word() != expected {
        return Some(format!("must {expected}, but: {seen}"));
    }
    let same = case
        .safeguards
        .as_ref()
        .is_none_or(|wanted| *wanted == seen.safeguards)
        && case.approvals.is_none_or(|wanted| wanted == seen.approvals)
        && case
            .delay_hours
            .is_none_or(|wanted| wanted.saturating_mul(HOUR_MS) == seen.delay_ms)
        && case
            .instead
            .as_ref()
            .is_none_or(|wanted| Some(wanted) == seen.instead.as_ref())
        && case
            .because
            .iter()
            .flatten()
            .all(|wanted| seen.because.contains(wanted));
    (!same).then(|| format!("must {expected} as the case says, but: {seen}"))
}

/// The parts of a verdict that cases speak of.
#[derive(Default)]
struct Seen {
    word: &'static str,
    safeguards: Vec<Safeguard>,
    approvals: u8,
    delay_ms: u64,
    because: Vec<String>,
    instead: Option<String>,
    reason: String,
}

impl Seen {
    fn of(verdict: &Verdict) -> Self {
        let word = verdict.word();
        match verdict.clone() {
            Verdict::Allow {
                safeguards,
                because,
            } => Self {
                word,
                safeguards,
                because,
                ..Self::default()
            },
            Verdict::Hold {
                safeguards,
                approvals,
                delay_ms,
                because,
                reason,
            } => Self {
                word,
                safeguards,
                approvals,
                delay_ms,
                because,
                reason,
                ..Self::default()
            },
            Verdict::Deny { reason, instead } => Self {
                word,
                reason,
                instead,
                ..Self::default()
            },
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.word)?;
        for safeguard in &self.safeguards {
            write!(f, ", {}", safeguard.word())?;
        }
        if self.approvals > 0 {
            write!(f, ", approvals {}", self.approvals)?;
        }
        if self.delay_ms > 0 {
            write!(f, ", delay {} h", self.delay_ms / HOUR_MS)?;
        }
        for id in &self.because {
            write!(f, ", by {id}")?;
        }
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        self.instead
            .iter()
            .try_for_each(|instead| write!(f, " (instead: {instead})"))
    }
}
