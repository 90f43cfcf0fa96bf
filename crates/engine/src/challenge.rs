//! What a credential answers to a server's challenge. Pure, and apart from where credentials come from.
//!
//! Only proofs come out, but for the password inside verified TLS: there the server demands it itself.

use hmac::{Hmac, Mac as _};
use md5::Md5;
use sha2::{Digest as _, Sha256};
use tagout_core::session::{Challenge, ChallengeAnswer, ScramKeys};
use zeroize::Zeroizing;

/// Fewer let a server that only pretends to be ours guess the password from our proof.
const FEWEST_ITERATIONS: u32 = 4096;

/// More keep us busy for a second and longer.
const MOST_ITERATIONS: u32 = 1_000_000;

/// 32 bytes that are wiped when they go.
type Key = Zeroizing<[u8; 32]>;

/// The answer of this credential.
///
/// # Errors
/// Why there is none, without any part of the secret.
pub(crate) fn answer(secret: &[u8], challenge: &Challenge) -> Result<ChallengeAnswer, String> {
    match challenge {
        Challenge::Cleartext { verified_tls: true } => {
            Ok(ChallengeAnswer::Password(Zeroizing::new(secret.to_vec())))
        }
        Challenge::Cleartext {
            verified_tls: false,
        } => Err("it wants the password itself, and nobody knows who it is; use `sslmode=verify-full`, or SCRAM".to_owned()),
        Challenge::Md5 { user, salt } => Ok(ChallengeAnswer::Password(md5_answer(secret, user, *salt))),
        Challenge::Scram {
            salt,
            iterations,
            auth_message,
        } => scram_answer(secret, salt, *iterations, auth_message),
    }
}

/// `md5` and `md5(md5(password + user) + salt)`, in hexadecimal digits.
fn md5_answer(secret: &[u8], user: &str, salt: [u8; 4]) -> Zeroizing<Vec<u8>> {
    let digits = |parts: [&[u8]; 2]| {
        let hash = parts
            .iter()
            .fold(Md5::new(), |hash, part| hash.chain_update(part));
        Zeroizing::new(hex::encode(hash.finalize()))
    };
    let kept = digits([secret, user.as_bytes()]);
    let shown = digits([kept.as_bytes(), &salt]);
    Zeroizing::new([b"md5", shown.as_bytes()].concat())
}

fn scram_answer(
    secret: &[u8],
    salt: &[u8],
    iterations: u32,
    auth_message: &str,
) -> Result<ChallengeAnswer, String> {
    if !(FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
        return Err(format!(
            "{iterations} iterations of SCRAM are too few or too many; {FEWEST_ITERATIONS} to {MOST_ITERATIONS} are answered"
        ));
    }
    let salted = salted(&prepared(secret), salt, iterations);
    let mut proof = hmac(salted.as_slice(), &[b"Client Key"]);
    let stored: [u8; 32] = Sha256::digest(proof.as_slice()).into();
    let signature = hmac(&stored, &[auth_message.as_bytes()]);
    for (byte, mask) in proof.iter_mut().zip(signature.iter()) {
        *byte ^= mask;
    }
    let server_key = hmac(salted.as_slice(), &[b"Server Key"]);
    Ok(ChallengeAnswer::Scram {
        proof: *proof,
        server_signature: *hmac(server_key.as_slice(), &[auth_message.as_bytes()]),
    })
}

/// The password after SASLprep (RFC 4013), or as it is where that has no result: as PostgreSQL does.
fn prepared(secret: &[u8]) -> Zeroizing<Vec<u8>> {
    let text = std::str::from_utf8(secret).ok();
    let prepared = text.and_then(|text| stringprep::saslprep(text).ok());
    match prepared {
        Some(text) => Zeroizing::new(text.into_owned().into_bytes()),
        None => Zeroizing::new(secret.to_vec()),
    }
}

/// What a server keeps of a password (RFC 5802, section 3), with SHA-256.
pub(crate) fn scram_keys(password: &[u8], salt: &[u8], iterations: u32) -> ScramKeys {
    let salted = salted(password, salt, iterations);
    let client_key = hmac(salted.as_slice(), &[b"Client Key"]);
    ScramKeys {
        stored: Sha256::digest(client_key.as_slice()).into(),
        server: *hmac(salted.as_slice(), &[b"Server Key"]),
    }
}

/// `Hi(password, salt, iterations)`.
fn salted(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut salted = last.clone();
    for _ in 1..iterations {
        last = hmac(password, &[last.as_slice()]);
        for (sum, byte) in salted.iter_mut().zip(last.iter()) {
            *sum ^= byte;
        }
    }
    salted
}

fn hmac(key: &[u8], parts: &[&[u8]]) -> Key {
    // HMAC takes keys of any length; there is no other error.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return Zeroizing::new([0; 32]);
    };
    for part in parts {
        mac.update(part);
    }
    Zeroizing::new(mac.finalize().into_bytes().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";

    /// RFC 7677, section 3: user `user`, password `pencil`.
    const MESSAGE: &str = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
        r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
        c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

    fn scram(secret: &str, iterations: u32) -> Result<(String, String), String> {
        let challenge = Challenge::Scram {
            salt: STANDARD.decode(SALT).unwrap(),
            iterations,
            auth_message: MESSAGE.to_owned(),
        };
        match answer(secret.as_bytes(), &challenge)? {
            ChallengeAnswer::Scram {
                proof,
                server_signature,
            } => Ok((STANDARD.encode(proof), STANDARD.encode(server_signature))),
            ChallengeAnswer::Password(_) => panic!("that is no proof"),
        }
    }

    fn password(challenge: &Challenge) -> Result<String, String> {
        match answer(b"pencil", challenge)? {
            ChallengeAnswer::Password(text) => Ok(String::from_utf8(text.to_vec()).unwrap()),
            ChallengeAnswer::Scram { .. } => panic!("that is no password"),
        }
    }

    #[test]
    fn proofs_are_those_of_the_rfc() {
        let (proof, signature) = scram("pencil", 4096).unwrap();
        assert_eq!(proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        // What a server keeps fits what a client proves.
        let keys = scram_keys(b"pencil", &STANDARD.decode(SALT).unwrap(), 4096);
        let shown = hmac(&keys.server, &[MESSAGE.as_bytes()]);
        assert_eq!(STANDARD.encode(shown.as_slice()), signature);
    }

    #[test]
    fn passwords_are_prepared_as_postgresql_does() {
        // Soft hyphens vanish, other spaces become plain, compatibility forms are resolved.
        assert_eq!(scram("pen\u{ad}cil", 4096), scram("pencil", 4096));
        assert_eq!(scram("a\u{a0}b", 4096), scram("a b", 4096));
        assert_eq!(scram("\u{2168}", 4096), scram("IX", 4096));
        // What may not be there leaves all of it as it is.
        assert_ne!(scram("a\u{a0}b\u{7}", 4096), scram("a b\u{7}", 4096));
    }

    #[test]
    fn too_few_and_too_many_iterations_are_refused() {
        for iterations in [0, 1, 4095, 1_000_001, u32::MAX] {
            let error = scram("pencil", iterations).unwrap_err();
            assert!(
                error.contains("iterations") && !error.contains("pencil"),
                "{error}"
            );
        }
    }

    #[test]
    fn the_password_itself_goes_into_verified_tls_only() {
        let verified = Challenge::Cleartext { verified_tls: true };
        assert_eq!(password(&verified), Ok("pencil".to_owned()));
        let unverified = Challenge::Cleartext {
            verified_tls: false,
        };
        assert!(password(&unverified).is_err());
    }

    /// The same as `SELECT 'md5' || md5(md5('pencil' || 'user') || 'salt')` gives.
    #[test]
    fn md5_is_postgresqls() {
        let challenge = Challenge::Md5 {
            user: "user".to_owned(),
            salt: *b"salt",
        };
        assert_eq!(
            password(&challenge),
            Ok("md5d3d9bcccbaa2fb5234570d4d0f22b055".to_owned())
        );
    }
}
