//! The messages of SCRAM-SHA-256, from both sides: RFC 5802, RFC 7677, and channel binding by
//! `tls-server-end-point` (RFC 5929). Pure.
//!
//! Names in the messages are empty: PostgreSQL takes the name from the first packet.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tagout_core::session::ScramKeys;

/// The mechanism.
pub(crate) const SCRAM: &str = "SCRAM-SHA-256";

/// The mechanism with channel binding.
pub(crate) const SCRAM_PLUS: &str = "SCRAM-SHA-256-PLUS";

/// Characters of a nonce: PostgreSQL's own have 24.
const LONGEST_NONCE: usize = 256;

/// What a server's salt may have, in bytes; PostgreSQL's have 16.
const LONGEST_SALT: usize = 1024;

/// Why a step of SCRAM is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not of the documented shape.
    #[error("a step of SCRAM is malformed: {0}")]
    Shape(&'static str),
    /// A nonce is empty, too long or has other characters than it may.
    #[error("a SCRAM nonce is empty, too long, or not printable")]
    Nonce,
    /// It names a mechanism that was not offered.
    #[error("a SCRAM mechanism was chosen that was not offered")]
    Mechanism,
    /// The channel is not the one that the other side sees.
    #[error("SCRAM channel binding does not fit; is somebody in between?")]
    Binding,
}

use ScramError::{Binding, Nonce, Shape};

/// What a client begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientFirst<'a> {
    /// Everything before the bare message.
    pub(crate) header: &'a str,
    /// What is signed.
    pub(crate) bare: &'a str,
    /// The client's half of the nonce.
    pub(crate) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, ScramError> {
        let text = std::str::from_utf8(text).map_err(|_| Shape("it is not UTF-8"))?;
        let mut parts = text.splitn(3, ',');
        let (binding, authzid) = (parts.next(), parts.next());
        let bare = parts
            .next()
            .ok_or(Shape("the first message is too short"))?;
        if authzid != Some("") {
            return Err(Shape("nobody may act as somebody else"));
        }
        if !matches!(binding, Some("n" | "y" | "p=tls-server-end-point")) {
            return Err(Binding);
        }
        let header = text.strip_suffix(bare).unwrap_or_default();
        let (name, rest) = bare.split_once(',').ok_or(Shape("it has no nonce"))?;
        if !name.starts_with("n=") {
            return Err(Shape("it has no name, or an extension that is not known"));
        }
        let nonce = rest
            .split(',')
            .next()
            .and_then(|part| part.strip_prefix("r="));
        let nonce = checked_nonce(nonce.ok_or(Shape("it has no nonce"))?)?;
        Ok(Self {
            header,
            bare,
            nonce,
        })
    }

    /// Whether what it says about channel binding fits the mechanism, and what was offered.
    pub(crate) fn fits(&self, plus: bool, plus_offered: bool) -> Result<(), ScramError> {
        match (self.header.as_bytes().first(), plus) {
            (Some(b'p'), true) | (Some(b'n'), false) => Ok(()),
            // It could, and thinks that we can't: somebody took the offer away.
            (Some(b'y'), false) if !plus_offered => Ok(()),
            _ => Err(Binding),
        }
    }
}

fn checked_nonce(nonce: &str) -> Result<&str, ScramError> {
    let printable = nonce
        .bytes()
        .all(|byte| (0x21..=0x7e).contains(&byte) && byte != b',');
    let fits = (1..=LONGEST_NONCE).contains(&nonce.len());
    if fits && printable {
        Ok(nonce)
    } else {
        Err(Nonce)
    }
}

/// What a client ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ClientFinal<'a> {
    /// What is signed.
    pub(crate) without_proof: &'a str,
    /// The channel, as the client sees it.
    binding: Vec<u8>,
    nonce: &'a str,
    proof: [u8; 32],
}

impl<'a> ClientFinal<'a> {
    pub(crate) fn read(text: &'a [u8]) -> Result<Self, ScramError> {
        let text = std::str::from_utf8(text).map_err(|_| Shape("it is not UTF-8"))?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Shape("it has no proof"))?;
        let mut parts = without_proof.split(',');
        let binding = parts.next().and_then(|part| part.strip_prefix("c="));
        let nonce = parts.next().and_then(|part| part.strip_prefix("r="));
        let proof = decoded(proof)?;
        Ok(Self {
            without_proof,
            binding: decoded(binding.ok_or(Shape("it has no channel binding"))?)?,
            nonce: nonce.ok_or(Shape("it has no nonce"))?,
            proof: proof
                .try_into()
                .map_err(|_| Shape("the proof is not one"))?,
        })
    }

    /// Whether it answers our first message, on this channel.
    pub(crate) fn answers(&self, nonce: &str, channel: &[u8]) -> Result<(), ScramError> {
        if self.binding != channel {
            return Err(Binding);
        }
        if self.nonce != nonce {
            return Err(Nonce);
        }
        Ok(())
    }

    /// Whether it proves the knowledge of what the keys were made from.
    pub(crate) fn proves(&self, keys: &ScramKeys, auth_message: &str) -> bool {
        let signature = hmac(&keys.stored, &[auth_message.as_bytes()]);
        let mut client_key = self.proof;
        for (key, byte) in client_key.iter_mut().zip(signature) {
            *key ^= byte;
        }
        let stored: [u8; 32] = Sha256::digest(client_key).into();
        stored.ct_eq(&keys.stored).into()
    }
}

/// What a server answers first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ServerFirst<'a> {
    pub(crate) nonce: &'a str,
    pub(crate) salt: Vec<u8>,
    pub(crate) iterations: u32,
}

impl<'a> ServerFirst<'a> {
    /// Reads an answer to a message with this nonce.
    pub(crate) fn read(text: &'a str, ours: &str) -> Result<Self, ScramError> {
        let mut parts = text.split(',');
        let mut part = |prefix| parts.next().and_then(|part| part.strip_prefix(prefix));
        let nonce = checked_nonce(part("r=").ok_or(Shape("it has no nonce"))?)?;
        let salt = decoded(part("s=").ok_or(Shape("it has no salt"))?)?;
        let iterations = part("i=").and_then(|count| count.parse().ok());
        let iterations = iterations.ok_or(Shape("it has no count"))?;
        // The server's half must be there, or an old exchange could be played again.
        if !nonce.starts_with(ours) || nonce.len() <= ours.len() {
            return Err(Nonce);
        }
        if salt.is_empty() || salt.len() > LONGEST_SALT {
            return Err(Shape("the salt is empty or too long"));
        }
        Ok(Self {
            nonce,
            salt,
            iterations,
        })
    }
}

/// `r=…,s=…,i=…`.
pub(crate) fn server_first(nonce: &str, salt: &[u8], iterations: u32) -> String {
    format!("r={nonce},s={},i={iterations}", BASE64.encode(salt))
}

/// `v=…`.
pub(crate) fn server_final(keys: &ScramKeys, auth_message: &str) -> String {
    let signature = hmac(&keys.server, &[auth_message.as_bytes()]);
    format!("v={}", BASE64.encode(signature))
}

/// `c=…,r=…`, for this header and this channel.
pub(crate) fn client_final(header: &str, channel: &[u8], nonce: &str) -> String {
    let binding = [header.as_bytes(), channel].concat();
    format!("c={},r={nonce}", BASE64.encode(binding))
}

/// Whether the server's last message shows this signature.
pub(crate) fn is_signed(server_final: &[u8], signature: &[u8; 32]) -> bool {
    let shown = server_final.strip_prefix(b"v=");
    let shown = shown.and_then(|shown| BASE64.decode(shown).ok());
    shown.is_some_and(|shown| shown.ct_eq(signature).into())
}

/// A proof as text.
pub(crate) fn proof_text(proof: &[u8; 32]) -> String {
    BASE64.encode(proof)
}

/// A new half of a nonce; `None` without randomness.
pub(crate) fn new_nonce() -> Option<String> {
    let mut bytes = [0_u8; 18];
    getrandom::fill(&mut bytes).ok()?;
    Some(BASE64.encode(bytes))
}

fn decoded(text: &str) -> Result<Vec<u8>, ScramError> {
    BASE64.decode(text).map_err(|_| Shape("it is not base64"))
}

/// The keys of a password, for a user that there is not. As expensive as real ones.
pub(crate) fn keys_of(password: &[u8], salt: &[u8], iterations: u32) -> ScramKeys {
    let mut last = hmac(password, &[salt, &1_u32.to_be_bytes()]);
    let mut salted = last;
    for _ in 1..iterations {
        last = hmac(password, &[&last]);
        for (sum, byte) in salted.iter_mut().zip(last) {
            *sum ^= byte;
        }
    }
    ScramKeys {
        stored: Sha256::digest(hmac(&salted, &[b"Client Key"])).into(),
        server: hmac(&salted, &[b"Server Key"]),
    }
}

pub(crate) fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length; there is no other error.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else {
        return [0; 32];
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT_FIRST: &str = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const SERVER_FIRST: &str =
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
    const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
    const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

    /// RFC 7677, section 3: user `user`, password `pencil`.
    #[test]
    fn the_exchange_of_the_rfc_is_read_and_proven() {
        let first = ClientFirst::read(CLIENT_FIRST.as_bytes()).unwrap();
        assert_eq!((first.header, first.nonce), ("n,,", "rOprNGfwEbeRWgbNEkqO"));
        let server = ServerFirst::read(SERVER_FIRST, first.nonce).unwrap();
        assert_eq!(server_first(server.nonce, &server.salt, 4096), SERVER_FIRST);
        let last = ClientFinal::read(CLIENT_FINAL.as_bytes()).unwrap();
        assert_eq!(last.answers(server.nonce, b"n,,"), Ok(()));
        assert_eq!(client_final("n,,", b"", server.nonce), last.without_proof);
        let message = format!("{},{SERVER_FIRST},{}", first.bare, last.without_proof);
        let keys = keys_of(b"pencil", &server.salt, server.iterations);
        assert!(last.proves(&keys, &message));
        assert!(!last.proves(&keys, &message.replace("i=4096", "i=4097")));
        assert!(!last.proves(&keys_of(b"pencils", &server.salt, 4096), &message));
        assert_eq!(server_final(&keys, &message), SERVER_FINAL);
        let signature = hmac(&keys.server, &[message.as_bytes()]);
        assert!(is_signed(SERVER_FINAL.as_bytes(), &signature));
        assert!(!is_signed(b"v=", &signature) && !is_signed(b"e=other-error", &signature));
    }

    #[test]
    fn what_is_malformed_is_refused() {
        let long = format!("n,,n=,r={}", "x".repeat(LONGEST_NONCE + 1));
        for (text, error) in [
            ("", Shape("the first message is too short")),
            ("n,,n=", Shape("it has no nonce")),
            ("n,a=root,n=,r=x", Shape("nobody may act as somebody else")),
            ("p=tls-unique,,n=,r=x", Binding),
            (
                "n,,m=x,n=,r=x",
                Shape("it has no name, or an extension that is not known"),
            ),
            ("n,,n=,r=", Nonce),
            ("n,,n=,r=a\u{7f}", Nonce),
            ("n,,n=,r=é", Nonce),
            (long.as_str(), Nonce),
        ] {
            assert_eq!(ClientFirst::read(text.as_bytes()), Err(error), "{text}");
        }
        for text in [
            "",
            "c=biws,r=x",
            "c=biws,r=x,p=",
            "c=biws,r=x,p=AAAA",
            "r=x,c=biws,p=AAAA",
            "c=!,r=x,p=AAAA",
        ] {
            assert!(ClientFinal::read(text.as_bytes()).is_err(), "{text}");
        }
        for text in [
            "",
            "r=ours,s=AAAA,i=4096",
            "r=other,s=AAAA,i=4096",
            "r=oursX,s=,i=4096",
            "r=oursX,s=AAAA,i=-1",
            "r=oursX,s=AAAA",
            "e=x",
        ] {
            assert!(ServerFirst::read(text, "ours").is_err(), "{text}");
        }
    }

    #[test]
    fn an_offer_that_somebody_took_away_is_noticed() {
        let cases = [
            ("n,,", false, true, Ok(())),
            ("y,,", false, false, Ok(())),
            ("y,,", false, true, Err(Binding)),
            ("n,,", true, true, Err(Binding)),
            ("y,,", true, true, Err(Binding)),
            ("p=tls-server-end-point,,", true, true, Ok(())),
            ("p=tls-server-end-point,,", false, true, Err(Binding)),
        ];
        for (header, plus, offered, fits) in cases {
            let text = format!("{header}n=,r=x");
            let first = ClientFirst::read(text.as_bytes()).unwrap();
            assert_eq!(first.fits(plus, offered), fits, "{header} {plus} {offered}");
        }
    }
}
