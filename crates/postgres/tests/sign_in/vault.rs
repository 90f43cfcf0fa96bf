//! A vault with one password, and what both sides of SCRAM know of it.

use hmac::{Hmac, Mac as _};
use md5::{Digest as _, Md5};
use sha2::Sha256;
use tagout_core::ids::UpstreamName;
use tagout_core::operation::Exact;
use tagout_core::permit::{Clearance, Errand, ErrandPermit};
use tagout_core::pipeline::{AuthorizedHeaders, Later, Vault, VaultError};
use tagout_core::session::{Challenge, ChallengeAnswer, ScramKeys};
use tagout_seal::EngineSeal;
use zeroize::Zeroizing;

pub(crate) fn upstream() -> UpstreamName {
    "shop".parse().unwrap()
}

/// Leave to sign in.
pub(crate) fn leave() -> Clearance {
    Clearance::Errand(ErrandPermit::mint(
        EngineSeal::new(),
        upstream(),
        Errand::SignIn,
    ))
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn xor(one: [u8; 32], two: [u8; 32]) -> [u8; 32] {
    std::array::from_fn(|at| one[at] ^ two[at])
}

fn salted(password: &str, salt: &[u8], iterations: u32) -> [u8; 32] {
    let first = hmac(password.as_bytes(), &[salt, &[0, 0, 0, 1]].concat());
    let rounds = (1..iterations).scan(first, |last, _| {
        *last = hmac(password.as_bytes(), last.as_slice());
        Some(*last)
    });
    rounds.fold(first, xor)
}

pub(crate) fn keys(password: &str, salt: &[u8], iterations: u32) -> ScramKeys {
    let salted = salted(password, salt, iterations);
    ScramKeys {
        stored: Sha256::digest(hmac(&salted, b"Client Key")).into(),
        server: hmac(&salted, b"Server Key"),
    }
}

/// Knows one password.
pub(crate) struct OnePassword(pub(crate) &'static str);

impl OnePassword {
    fn answer_to(&self, challenge: Challenge) -> Result<ChallengeAnswer, VaultError> {
        match challenge {
            Challenge::Cleartext { verified_tls: true } => Ok(password(self.0.to_owned())),
            Challenge::Cleartext {
                verified_tls: false,
            } => Err(VaultError::Unanswerable {
                upstream: "shop".to_owned(),
                reason: "not without TLS".to_owned(),
            }),
            Challenge::Md5 { user, salt } => {
                let hash = |parts: [&[u8]; 2]| {
                    let bytes = Md5::digest(parts.concat());
                    bytes
                        .iter()
                        .map(|byte| format!("{byte:02x}"))
                        .collect::<String>()
                };
                let kept = hash([self.0.as_bytes(), user.as_bytes()]);
                Ok(password(format!("md5{}", hash([kept.as_bytes(), &salt]))))
            }
            Challenge::Scram {
                salt,
                iterations,
                auth_message,
            } => {
                let client = hmac(&salted(self.0, &salt, iterations), b"Client Key");
                let keys = keys(self.0, &salt, iterations);
                Ok(ChallengeAnswer::Scram {
                    proof: xor(client, hmac(&keys.stored, auth_message.as_bytes())),
                    server_signature: hmac(&keys.server, auth_message.as_bytes()),
                })
            }
        }
    }
}

fn password(text: String) -> ChallengeAnswer {
    ChallengeAnswer::Password(Zeroizing::new(text.into_bytes()))
}

impl Vault for OnePassword {
    fn authorize<'a>(
        &'a self,
        _: &'a Clearance,
        _: &'a Exact,
        _: &'a UpstreamName,
        _: &'a str,
    ) -> Later<'a, Result<AuthorizedHeaders, VaultError>> {
        panic!("nobody asks for header lines here")
    }

    fn answer<'a>(
        &'a self,
        _: &'a Clearance,
        _: &'a UpstreamName,
        _: &'a str,
        challenge: Challenge,
    ) -> Later<'a, Result<ChallengeAnswer, VaultError>> {
        Box::pin(std::future::ready(self.answer_to(challenge)))
    }

    fn scrub(&self, _: &UpstreamName, text: &mut Vec<u8>) -> bool {
        let clean = String::from_utf8_lossy(text).replace(self.0, "***");
        let found = clean.as_bytes() != text.as_slice();
        *text = clean.into_bytes();
        found
    }
}
