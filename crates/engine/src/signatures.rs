//! Counting signatures: checked again, from their bytes alone, each time they are relied on.

use std::collections::BTreeSet;

use tagout_core::approval::{Challenge, Decision};
use tagout_core::card::{Choice, Hold, SignedApproval};
use tagout_core::ids::PersonId;
use tagout_core::passkey::verify_assertion;
use tagout_core::time::UnixMs;

use crate::engine::Engine;

/// What somebody new is told who would be one of two.
pub(crate) const NEWCOMER: &str = "this takes two people, and whoever was enrolled less than twelve hours ago is not one of them: else one person could enrol another name and sign for both";

/// With one person enrolled, the second signature is the same person's so much later.
pub(crate) const SOLO_AFTER_MS: u64 = 12 * 60 * 60 * 1000;

/// Valid signatures under one choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// Distinct people.
    pub(crate) people: u8,
    /// The only person signed a second time, late enough.
    pub(crate) solo: bool,
    /// People, and the second signature of one who is alone.
    pub(crate) approvals: u8,
}

impl Engine {
    /// Checks every signature of a hold again, from its bytes alone, against keys that are in force.
    pub(crate) fn count_signatures(&self, hold: &Hold, choice: &Choice) -> Result<Signed, String> {
        let digest = choice.document.digest();
        let mut people: Vec<(&PersonId, UnixMs)> = Vec::new();
        for approval in of_the_chosen(hold) {
            let challenge = self.check_signature(approval)?;
            let says_yes = challenge.decision == Decision::Approve;
            if !(says_yes && challenge.approvals.contains(&digest)) {
                return Err("a signature is for something else".to_owned());
            }
            people.push((&approval.person, approval.at));
        }
        let distinct: BTreeSet<_> = people.iter().map(|(person, _)| *person).collect();
        let late = |window: &[(_, UnixMs)]| match window {
            [(_, first), (_, second)] => second.since_ms(*first) >= SOLO_AFTER_MS,
            _ => false,
        };
        let solo = distinct.len() == 1 && people.windows(2).any(late);
        let in_force = self.in_force();
        let newcomer = |(person, at): &&(&PersonId, UnixMs)| in_force.is_newcomer(person, *at);
        if distinct.len() > 1 && people.iter().any(|signed| newcomer(&signed)) {
            return Err(NEWCOMER.to_owned());
        }
        let count = u8::try_from(distinct.len()).unwrap_or(u8::MAX);
        Ok(Signed {
            people: count,
            solo,
            approvals: if solo { count.max(2) } else { count },
        })
    }

    fn check_signature(&self, approval: &SignedApproval) -> Result<Challenge, String> {
        let challenge: Challenge = serde_json::from_str(&approval.challenge)
            .map_err(|_| "a signed challenge can't be read".to_owned())?;
        if challenge.approver != approval.person {
            return Err("a signature is somebody else's".to_owned());
        }
        let in_force = self.in_force();
        let known = in_force
            .people()
            .iter()
            .filter(|person| person.id == approval.person)
            .flat_map(|person| &person.authenticators)
            .any(|key| key.public_key == approval.public_key);
        if !known {
            return Err("a signature's passkey is not enrolled any more".to_owned());
        }
        let settings = &self.settings;
        verify_assertion(
            &approval.assertion,
            &challenge.bytes(),
            &settings.rp_id,
            &settings.origin,
            &approval.public_key,
            0,
        )
        .map_err(|error| error.to_string())?;
        Ok(challenge)
    }
}

/// The signatures under the choice that was completed, which come first. Others may have been given
/// for another choice of the same card; they count for nothing.
fn of_the_chosen(hold: &Hold) -> impl Iterator<Item = &SignedApproval> {
    let chosen = hold.approvals.first().map(|approval| approval.choice);
    let same = move |approval: &&SignedApproval| Some(approval.choice) == chosen;
    hold.approvals.iter().filter(same)
}
