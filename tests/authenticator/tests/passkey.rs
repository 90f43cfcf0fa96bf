//! The product's passkey check against an authenticator that shares no code with it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails here fails the test"
)]

use ciborium::Value as Cbor;
use proptest::prelude::*;
use serde_json::json;
use tagout_authenticator::{
    ATTESTED, Bend, Created, EXTENSIONS, Page, Signed, SoftAuthenticator, USER_PRESENT,
    USER_VERIFIED, attestation, base64url, cbor,
};
use tagout_core::passkey::{
    Assertion, NewCredential, PasskeyError, Registration, Verified, verify_assertion,
    verify_registration,
};

const RP_ID: &str = "localhost";
const ORIGIN: &str = "http://localhost:7443";
const CHALLENGE: [u8; 32] = [7; 32];

fn authenticator() -> SoftAuthenticator {
    SoftAuthenticator::from_secret(&[42; 32]).unwrap()
}

fn page() -> Page {
    Page::new(RP_ID, ORIGIN)
}

fn registration(created: &Created) -> Registration {
    Registration {
        credential: base64url(&created.credential),
        attestation: base64url(&created.attestation),
        client_data: base64url(&created.client_data),
    }
}

fn assertion(signed: &Signed) -> Assertion {
    Assertion {
        credential: base64url(&signed.credential),
        authenticator_data: base64url(&signed.authenticator_data),
        client_data: base64url(&signed.client_data),
        signature: base64url(&signed.signature),
    }
}

fn register(created: &Created) -> Result<NewCredential, PasskeyError> {
    verify_registration(&registration(created), &CHALLENGE, RP_ID, ORIGIN)
}

fn check(signed: &Signed) -> Result<Verified, PasskeyError> {
    let key = base64url(&authenticator().public_key());
    verify_assertion(&assertion(signed), &CHALLENGE, RP_ID, ORIGIN, &key, 0)
}

#[test]
fn a_passkey_is_created_and_signs() {
    let mut authenticator = authenticator();
    let new = register(&authenticator.create(&page(), &CHALLENGE)).unwrap();
    assert_eq!(new.credential, base64url(authenticator.credential()));
    assert_eq!(new.public_key, base64url(&authenticator.public_key()));
    assert_eq!(new.sign_count, 1);
    let signed = authenticator.sign(&page(), &CHALLENGE);
    assert_eq!(check(&signed), Ok(Verified { sign_count: 2 }));
}

#[test]
fn high_s_is_as_good_as_low_s() {
    let mut signed = authenticator().sign(&page(), &CHALLENGE);
    let signature = p256::ecdsa::Signature::from_der(&signed.signature).unwrap();
    let (r, s) = signature.split_scalars();
    let other = p256::ecdsa::Signature::from_scalars(r, -s).unwrap();
    assert_ne!(other, signature);
    signed.signature = other.to_der().as_bytes().to_vec();
    assert_eq!(check(&signed), Ok(Verified { sign_count: 1 }));
}

/// Everything that the client data of both ceremonies can have wrong.
fn bent_client_data(kind: &'static str) -> Vec<(&'static str, Page, PasskeyError)> {
    let malformed = PasskeyError::Malformed("client data");
    let good = json!({"type": kind, "challenge": base64url(&CHALLENGE), "origin": ORIGIN});
    let raw = |name, text: String, error: &PasskeyError| {
        let bend = Bend {
            client_data: Some(text.into_bytes()),
            ..Bend::default()
        };
        (name, page().bent(bend), error.clone())
    };
    let with = |member: &str, value: serde_json::Value| {
        let mut changed = good.clone();
        changed[member] = value;
        changed.to_string()
    };
    let twice = |member: &str| format!("{{\"{member}\":\"x\",{}", &good.to_string()[1..]);
    let type_error = PasskeyError::WrongType(kind);
    vec![
        raw(
            "another type",
            with("type", json!("payment.get")),
            &type_error,
        ),
        raw("type missing", with("type", json!(null)), &malformed),
        raw(
            "another challenge",
            with("challenge", json!(base64url(&[8; 32]))),
            &PasskeyError::WrongChallenge,
        ),
        raw(
            "padded challenge",
            with("challenge", json!(format!("{}=", base64url(&CHALLENGE)))),
            &PasskeyError::WrongChallenge,
        ),
        raw(
            "another port",
            with("origin", json!("http://localhost:7444")),
            &PasskeyError::WrongOrigin,
        ),
        raw(
            "a longer origin",
            with("origin", json!("http://localhost:7443.evil.example")),
            &PasskeyError::WrongOrigin,
        ),
        raw(
            "origin with a slash",
            with("origin", json!("http://localhost:7443/")),
            &PasskeyError::WrongOrigin,
        ),
        raw(
            "in a frame",
            with("crossOrigin", json!(true)),
            &PasskeyError::CrossOrigin,
        ),
        raw(
            "under another top",
            with("topOrigin", json!("http://evil.example")),
            &PasskeyError::CrossOrigin,
        ),
        raw(
            "crossOrigin no boolean",
            with("crossOrigin", json!("false")),
            &malformed,
        ),
        raw("origin twice", twice("origin"), &malformed),
        raw("challenge twice", twice("challenge"), &malformed),
        raw(
            "unknown member twice",
            format!("{{\"a\":1,\"a\":1,{}", &good.to_string()[1..]),
            &malformed,
        ),
        raw("text after it", format!("{good}x"), &malformed),
        raw("a list", format!("[{good}]"), &malformed),
        raw("empty", String::new(), &malformed),
    ]
}

#[test]
fn client_data_is_read_strictly() {
    for (name, page, error) in bent_client_data("webauthn.get") {
        let signed = authenticator().sign(&page, &CHALLENGE);
        assert_eq!(check(&signed), Err(error), "{name}");
    }
    for (name, page, error) in bent_client_data("webauthn.create") {
        let created = authenticator().create(&page, &CHALLENGE);
        assert_eq!(register(&created), Err(error), "{name}");
    }
}

#[test]
fn members_that_browsers_may_add_decide_nothing() {
    let text = json!({"type": "webauthn.get", "challenge": base64url(&CHALLENGE), "origin": ORIGIN,
        "other_keys_can_be_added_here": "do not compare clientDataJSON against a template"});
    let bend = Bend {
        client_data: Some(text.to_string().into_bytes()),
        ..Bend::default()
    };
    assert!(check(&authenticator().sign(&page().bent(bend), &CHALLENGE)).is_ok());
}

#[test]
fn one_ceremony_does_not_pass_for_the_other() {
    let mut authenticator = authenticator();
    let created = authenticator.create(&page(), &CHALLENGE);
    let mut signed = authenticator.sign(&page(), &CHALLENGE);
    signed.client_data = created.client_data;
    assert_eq!(check(&signed), Err(PasskeyError::WrongType("webauthn.get")));
}

#[test]
fn the_person_must_be_there_and_verified() {
    for (flags, expected) in [
        (USER_PRESENT | USER_VERIFIED, None),
        (USER_PRESENT | USER_VERIFIED | 0x18, None),
        (USER_PRESENT, Some(PasskeyError::NotVerified)),
        (USER_VERIFIED, Some(PasskeyError::NotPresent)),
        (0, Some(PasskeyError::NotPresent)),
    ] {
        let mut authenticator = authenticator();
        authenticator.flags = flags;
        let created = authenticator.create(&page(), &CHALLENGE);
        assert_eq!(register(&created).err(), expected, "create {flags:#x}");
        let signed = authenticator.sign(&page(), &CHALLENGE);
        assert_eq!(check(&signed).err(), expected, "sign {flags:#x}");
    }
}

#[test]
fn it_must_be_for_this_relying_party() {
    let other = Page::new("evil.example", ORIGIN);
    let created = authenticator().create(&other, &CHALLENGE);
    assert_eq!(register(&created), Err(PasskeyError::WrongRelyingParty));
    let signed = authenticator().sign(&other, &CHALLENGE);
    assert_eq!(check(&signed), Err(PasskeyError::WrongRelyingParty));
}

#[test]
fn the_counter_must_grow_unless_there_is_none() {
    for (stored, now, grows) in [
        (0, 0, true),
        (0, 1, true),
        (1, 2, true),
        (5, 5, false),
        (5, 4, false),
        (5, 0, false),
    ] {
        let mut authenticator = authenticator();
        (authenticator.counts, authenticator.sign_count) = (false, now);
        let signed = assertion(&authenticator.sign(&page(), &CHALLENGE));
        let key = base64url(&authenticator.public_key());
        let checked = verify_assertion(&signed, &CHALLENGE, RP_ID, ORIGIN, &key, stored);
        let expected = match grows {
            true => Ok(Verified { sign_count: now }),
            false => Err(PasskeyError::CounterDidNotGrow { stored, now }),
        };
        assert_eq!(checked, expected, "{stored} {now}");
    }
}

#[test]
fn another_key_does_not_do() {
    let signed = SoftAuthenticator::new().unwrap().sign(&page(), &CHALLENGE);
    assert_eq!(check(&signed), Err(PasskeyError::BadSignature));
}

#[test]
fn a_signature_carries_no_key_and_nothing_else() {
    let malformed = Err(PasskeyError::Malformed("authenticator data"));
    let bent = |trailing: Vec<u8>| {
        page().bent(Bend {
            trailing,
            ..Bend::default()
        })
    };
    let empty_map = vec![0xa0];
    for (flags, trailing, fine) in [
        (0, vec![], true),
        (0, vec![0], false),
        (EXTENSIONS, empty_map.clone(), true),
        (EXTENSIONS, vec![], false),
        (EXTENSIONS, vec![0x80], false),
        (EXTENSIONS, vec![0xa0, 0xa0], false),
        (ATTESTED, vec![], false),
    ] {
        let mut authenticator = authenticator();
        authenticator.flags |= flags;
        let checked = check(&authenticator.sign(&bent(trailing.clone()), &CHALLENGE));
        match fine {
            true => assert!(checked.is_ok(), "{flags:#x} {trailing:?} {checked:?}"),
            false => assert_eq!(checked, malformed, "{flags:#x} {trailing:?}"),
        }
    }
    let mut carrying = authenticator();
    let created = carrying.create(&page(), &CHALLENGE);
    let start = created.attestation.len() - (37 + 16 + 2 + 32 + 77);
    let mut signed = carrying.sign(&page(), &CHALLENGE);
    signed.authenticator_data = created.attestation[start..].to_vec();
    assert_eq!(check(&signed), malformed);
}

#[test]
fn a_creation_must_carry_its_own_key() {
    let mut plain = authenticator();
    let mut created = plain.create(&page(), &CHALLENGE);
    let data = plain.sign(&page(), &CHALLENGE).authenticator_data;
    created.attestation = attestation(data);
    assert_eq!(register(&created), Err(PasskeyError::NoKey));

    let mut created = authenticator().create(&page(), &CHALLENGE);
    created.credential[0] ^= 1;
    assert_eq!(register(&created), Err(PasskeyError::OtherCredential));
}

#[test]
fn only_es256_on_p256() {
    let point = [[1; 32], [2; 32]].map(|bytes| Cbor::Bytes(bytes.to_vec()));
    let [x, y] = point;
    let good: Cbor = ciborium::from_reader(&authenticator().public_key()[..]).unwrap();
    let good = good.into_map().unwrap();
    let with = |index: usize, value: Cbor| {
        let mut members = good.clone();
        members[index].1 = value;
        Cbor::Map(members)
    };
    let mut longer = good.clone();
    longer.push((4.into(), 5.into()));
    let mut doubled = good.clone();
    doubled[4].0 = (-2).into();
    for (name, cose) in [
        ("kty OKP", with(0, 1.into())),
        ("alg EdDSA", with(1, (-8).into())),
        ("alg RS256", with(1, (-257).into())),
        ("crv P-384", with(2, 2.into())),
        ("x not on the curve", with(3, x)),
        ("y not on the curve", with(4, y)),
        ("x too long", with(3, Cbor::Bytes(vec![1; 33]))),
        ("y compressed", with(4, true.into())),
        ("one member more", Cbor::Map(longer)),
        ("x twice", Cbor::Map(doubled)),
        ("no map", Cbor::Array(vec![])),
    ] {
        let bend = Bend {
            cose: Some(cose),
            ..Bend::default()
        };
        let created = authenticator().create(&page().bent(bend), &CHALLENGE);
        assert_eq!(
            register(&created),
            Err(PasskeyError::UnsupportedKey),
            "{name}"
        );
    }
}

#[test]
fn the_attestation_object_has_three_members_once() {
    let data = {
        let created = authenticator().create(&page(), &CHALLENGE);
        let value: Cbor = ciborium::from_reader(&created.attestation[..]).unwrap();
        value.into_map().unwrap()
    };
    let mut doubled = data.clone();
    doubled.push(data[2].clone());
    let without = |index: usize| {
        let mut members = data.clone();
        members.remove(index);
        cbor(&Cbor::Map(members))
    };
    let mut trailing = cbor(&Cbor::Map(data.clone()));
    trailing.push(0);
    let nested = [0x81; 4000].to_vec();
    for bytes in [
        cbor(&Cbor::Map(doubled)),
        without(0),
        without(1),
        without(2),
        trailing,
        vec![],
        vec![0x5f],
        vec![0xbb, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        vec![0x5b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
        nested,
    ] {
        let mut created = authenticator().create(&page(), &CHALLENGE);
        created.attestation = bytes;
        assert_eq!(
            register(&created),
            Err(PasskeyError::Malformed("attestation"))
        );
    }
}

#[test]
fn base64url_has_one_form() {
    let signed = assertion(&authenticator().sign(&page(), &CHALLENGE));
    let key = base64url(&authenticator().public_key());
    let check =
        |signed: &Assertion, key: &str| verify_assertion(signed, &CHALLENGE, RP_ID, ORIGIN, key, 0);
    assert!(check(&signed, &key).is_ok());
    let parts = [
        "credential",
        "authenticator data",
        "client data",
        "signature",
    ];
    for (index, part) in parts.into_iter().enumerate() {
        for wrong in ["=", "+", "\n", "\u{e9}"] {
            let mut changed = signed.clone();
            let field = match index {
                0 => &mut changed.credential,
                1 => &mut changed.authenticator_data,
                2 => &mut changed.client_data,
                _ => &mut changed.signature,
            };
            field.push_str(wrong);
            let checked = check(&changed, &key);
            assert!(checked.is_err(), "{part} {wrong:?}");
        }
    }
    let mut loose = signed.clone();
    let last = loose.credential.pop().unwrap();
    loose.credential.push(char::from(last as u8 + 1));
    assert_eq!(
        check(&loose, &key),
        Err(PasskeyError::Malformed("credential")),
        "unused bits of the last character"
    );
    let mut huge = signed.clone();
    huge.credential = "A".repeat(20_000);
    assert_eq!(
        check(&huge, &key),
        Err(PasskeyError::Malformed("credential"))
    );
    for bad in ["", "AAAA", &format!("{key}AA")] {
        let error = check(&signed, bad).unwrap_err();
        assert!(
            matches!(
                error,
                PasskeyError::Malformed("public key") | PasskeyError::UnsupportedKey
            ),
            "{error}"
        );
    }
}

#[test]
fn every_bit_of_a_signed_answer_counts() {
    let good = authenticator().sign(&page(), &CHALLENGE);
    assert!(check(&good).is_ok());
    type Part = fn(&mut Signed) -> &mut Vec<u8>;
    let parts: [Part; 3] = [
        |signed| &mut signed.authenticator_data,
        |signed| &mut signed.client_data,
        |signed| &mut signed.signature,
    ];
    for part in parts {
        for bit in 0..part(&mut good.clone()).len() * 8 {
            let mut flipped = good.clone();
            part(&mut flipped)[bit / 8] ^= 1 << (bit % 8);
            assert!(check(&flipped).is_err(), "bit {bit}");
        }
    }
    let key = authenticator().public_key();
    for bit in 0..key.len() * 8 {
        let mut flipped = key.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let signed = assertion(&good);
        let key = base64url(&flipped);
        assert!(verify_assertion(&signed, &CHALLENGE, RP_ID, ORIGIN, &key, 0).is_err());
    }
}

/// Of a creation nothing is signed; yet what decides (relying party, person, credential, key) is
/// checked bit by bit. Counter and model are the authenticator's to say.
#[test]
fn every_deciding_bit_of_a_creation_counts() {
    let good = authenticator().create(&page(), &CHALLENGE);
    assert!(register(&good).is_ok());
    let data = good.attestation.len() - (37 + 16 + 2 + 32 + 77);
    let deciding = |byte: usize| match byte.checked_sub(data) {
        Some(32) => false,
        Some(33..=52) => false,
        None => byte + 42 < data,
        Some(_) => true,
    };
    for byte in (0..good.attestation.len()).filter(|byte| deciding(*byte)) {
        for bit in 0..8 {
            let mut flipped = good.clone();
            flipped.attestation[byte] ^= 1 << bit;
            assert!(register(&flipped).is_err(), "byte {byte} bit {bit}");
        }
    }
    for bit in 0..good.client_data.len() * 8 {
        let mut flipped = good.clone();
        flipped.client_data[bit / 8] ^= 1 << (bit % 8);
        // A flip can turn the name of a member we don't need into another such name.
        let left_out = register(&flipped).is_ok();
        assert!(!left_out || is_unread(&flipped.client_data), "bit {bit}");
    }
}

/// Whether the three members that decide are still as they were.
fn is_unread(client_data: &[u8]) -> bool {
    let value: serde_json::Value = serde_json::from_slice(client_data).unwrap();
    value["type"] == "webauthn.create"
        && value["challenge"] == base64url(&CHALLENGE)
        && value["origin"] == ORIGIN
}

proptest! {
    #[test]
    fn random_bytes_never_verify(
        client_data in proptest::collection::vec(any::<u8>(), 0..200),
        data in proptest::collection::vec(any::<u8>(), 0..200),
        signature in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let honest = authenticator().sign(&page(), &CHALLENGE);
        let signed = |authenticator_data, client_data, signature| Signed {
            credential: vec![1], authenticator_data, client_data, signature,
        };
        prop_assert!(check(&signed(data.clone(), client_data, signature.clone())).is_err());
        prop_assert!(check(&signed(data.clone(), honest.client_data.clone(), signature.clone())).is_err());
        prop_assert!(check(&signed(honest.authenticator_data, honest.client_data, signature)).is_err());
        let created = Created { credential: vec![1], attestation: attestation(data.clone()),
            client_data: authenticator().create(&page(), &CHALLENGE).client_data };
        prop_assert!(register(&created).is_err());
        let raw = Created { attestation: data, ..created };
        prop_assert!(register(&raw).is_err());
    }

    #[test]
    fn random_text_never_panics(text in ".{0,60}") {
        let assertion = Assertion {
            credential: text.clone(), authenticator_data: text.clone(),
            client_data: text.clone(), signature: text.clone(),
        };
        let checked = verify_assertion(&assertion, &CHALLENGE, RP_ID, ORIGIN, &text, 0);
        prop_assert!(checked.is_err());
    }
}
