//! Signed notes and key strings, against an example made by Go's `sumdb/note`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test may fail that way, in its helping functions too"
)]

use proptest::prelude::*;
use tagout_ledger::{
    BodyHash, LedgerError, NoteSigner, NoteVerifier, SignedCheckpoint, check_proof,
    merkle::empty_root,
    tiles::{TileKind, TileName, split_bundle},
};

// The key and note of the examples in golang.org/x/mod/sumdb/note.
const GO_SIGNER: &str =
    "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const GO_VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\
    \n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn go_and_we_agree_on_keys_and_notes() {
    let signer = NoteSigner::parse(GO_SIGNER).unwrap();
    assert_eq!(signer.to_secret_string(), GO_SIGNER);
    assert_eq!(signer.verifier().to_string(), GO_VERIFIER);
    let verifier = NoteVerifier::parse(GO_VERIFIER).unwrap();
    let text = verifier.open(GO_NOTE).unwrap();
    assert_eq!(signer.sign(text), GO_NOTE);
}

#[test]
fn a_witness_may_sign_as_well() {
    let (log, witness) = (signer("log.example", 1), signer("witness.example", 2));
    let note = log.sign("text\n");
    let witnessed = note.clone() + witness.sign("text\n").split_once("\n\n").unwrap().1;
    assert_eq!(log.verifier().open(&witnessed), Ok("text\n"));
    assert_eq!(witness.verifier().open(&witnessed), Ok("text\n"));
    let unsigned = LedgerError::BadSignature("witness.example".to_owned());
    assert_eq!(witness.verifier().open(&note), Err(unsigned));
}

fn signer(name: &str, seed: u8) -> NoteSigner {
    NoteSigner::from_seed(name, &[seed; 32]).unwrap()
}

#[test]
fn malformed_notes_are_refused() {
    let signer = signer("log.example", 1);
    let good = signer.sign("text\n");
    let cases = [
        String::new(),
        good.trim_end().to_owned(),
        good.replace("\n\n", "\n"),
        good.replace('\u{2014}', "-"),
        good.replace("text", "te\txt"),
        good.replace("text", "tent"),
        good.replace("log.example", "log.example2"),
        good.clone() + "trailing\n",
        "x".repeat(70_000) + &good,
    ];
    for note in cases {
        assert!(signer.verifier().open(&note).is_err(), "{note}");
    }
}

#[test]
fn malformed_keys_are_refused() {
    let cases = [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a4+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "Peter Neumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+AhpC2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy",
    ];
    for key in cases {
        assert!(NoteVerifier::parse(key).is_err(), "{key}");
        assert!(
            NoteSigner::parse(&format!("PRIVATE+KEY+{key}")).is_err(),
            "{key}"
        );
    }
    for name in ["", "a b", "a+b", "a\nb"] {
        assert!(NoteSigner::from_seed(name, &[1; 32]).is_err(), "{name:?}");
    }
}

#[test]
fn checkpoints_with_anything_odd_are_refused() {
    let signer = signer("log.example", 1);
    let root = empty_root().to_base64();
    let cases = [
        (format!("log.example\n7\n{root}\n"), true),
        (format!("other.example\n7\n{root}\n"), false),
        (format!("log.example\n07\n{root}\n"), false),
        (format!("log.example\n+7\n{root}\n"), false),
        (format!("log.example\n-7\n{root}\n"), false),
        (
            format!("log.example\n99999999999999999999\n{root}\n"),
            false,
        ),
        ("log.example\n7\nAAAA\n".to_owned(), false),
        (format!("log.example\n7\n{root}\nextension\n"), false),
        (format!("\n7\n{root}\n"), false),
        ("log.example\n7\n".to_owned(), false),
    ];
    for (text, good) in cases {
        let opened = SignedCheckpoint::open(&signer.sign(&text), signer.verifier());
        assert_eq!(opened.is_ok(), good, "{text}");
    }
}

#[test]
fn tile_paths_are_those_of_the_specification() {
    let hashes = |level, index, width| TileName {
        kind: TileKind::Hashes { level },
        index,
        width,
    };
    let entries = |index, width| TileName {
        kind: TileKind::Entries,
        index,
        width,
    };
    for (name, path) in [
        (hashes(0, 0, 256), "tile/0/000"),
        (hashes(1, 17, 3), "tile/1/017.p/3"),
        (hashes(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (entries(1_234_067, 255), "tile/entries/x001/x234/067.p/255"),
        (entries(1000, 256), "tile/entries/x001/000"),
    ] {
        assert_eq!(name.path().to_str(), Some(path));
    }
}

proptest! {
    #[test]
    fn no_input_panics(text in any::<String>(), bytes in any::<Vec<u8>>()) {
        let signer = signer("log.example", 1);
        prop_assert!(signer.verifier().open(&text).is_err());
        prop_assert!(check_proof(&text, &bytes, signer.verifier()).is_err());
        let _ = NoteVerifier::parse(&text);
        let _ = BodyHash::parse(&text);
        let _ = split_bundle(&bytes);
    }

    #[test]
    fn what_is_signed_opens(text in "[^\u{0}-\u{1f}]{1,50}") {
        let (signer, text) = (signer("log.example", 3), text + "\n");
        let note = signer.sign(&text);
        prop_assert_eq!(signer.verifier().open(&note), Ok(text.as_str()));
    }
}
