//! The person's signature verifies offline, by a script that uses nothing of ours; and no altered one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what fails here fails the test"
)]

mod support;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::Digest as _;
use support::person::Person;
use support::samples::{service_delete, volume_delete};
use support::wire::Served;
use tagout_core::card::Hold;

/// The record of a signed approval, in the shape that the script's text defines.
fn record(hold: &Hold, origin: &str) -> Value {
    let approval = &hold.approvals[0];
    json!({
        "document": hold.chosen().unwrap().document.text(),
        "challenge": approval.challenge,
        "assertion": approval.assertion,
        "public_key": approval.public_key,
        "rp_id": "localhost",
        "origin": origin,
    })
}

/// The script's exit code and what it said.
fn run(record: &str) -> (i32, String) {
    run_on(&[record])
}

/// The same for several files.
fn run_on(texts: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        files.push(folder.path().join(format!("{index}.json")));
        std::fs::write(&files[index], text).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/verify/verify_approval.py");
    let output = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(files)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), said)
}

/// The records of several holds approved with one signature, after so many earlier ceremonies.
async fn signed(earlier: usize) -> Vec<Value> {
    let served = Served::start().await;
    let mut person = Person::enrolled(&served).await;
    for _ in 0..earlier {
        person.perform(&served, &json!({"wish": "sign_in"})).await;
    }
    let holds = [
        volume_delete(1),
        volume_delete(2),
        service_delete(3, "shop"),
    ];
    let judged: Vec<_> = holds.iter().map(|hold| (&hold.id, 0)).collect();
    let wish = json!({"wish": "judge", "holds": judged, "decision": "approve"});
    served.desk.state().holds.extend(holds.clone());
    let answer = person.perform(&served, &wish).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let state = served.desk.state();
    state
        .holds
        .iter()
        .map(|hold| record(hold, &served.origin))
        .collect()
}

#[tokio::test]
async fn a_true_record_verifies() {
    let records = signed(0).await;
    for record in records {
        let (code, said) = run(&record.to_string());
        assert_eq!(code, 0, "{said}");
        assert!(said.contains("decision   \"approve\""), "{said}");
        let document: Value = serde_json::from_str(record["document"].as_str().unwrap()).unwrap();
        assert!(said.contains(&document["hold"].to_string()), "{said}");
    }
}

/// Replaces one text in one field of the record.
fn altered(record: &Value, pointer: &str, from: &str, to: &str) -> Value {
    let mut record = record.clone();
    let field = record.pointer_mut(pointer).unwrap();
    let text = field.as_str().unwrap();
    assert!(text.contains(from), "{pointer} {from}");
    *field = text.replacen(from, to, 1).into();
    record
}

/// Flips a bit of the last-but-one byte of a part.
fn flipped(record: &Value, pointer: &str) -> Value {
    let mut record = record.clone();
    let field = record.pointer_mut(pointer).unwrap();
    let mut text = field.as_str().unwrap().as_bytes().to_vec();
    let at = text.len() - 3;
    text[at] = if text[at] == b'A' { b'B' } else { b'A' };
    *field = String::from_utf8(text).unwrap().into();
    record
}

#[tokio::test]
async fn altered_records_do_not() {
    let records = signed(0).await;
    let (good, others) = (&records[0], signed(1).await);
    let swapped = |pointer: &str| {
        let mut record = good.clone();
        *record.pointer_mut(pointer).unwrap() = others[0].pointer(pointer).unwrap().clone();
        record
    };
    let mut more = good.clone();
    more["note"] = "hello".into();
    for (name, record, why) in [
        (
            "a higher ceiling",
            altered(good, "/document", "\"backups\":5", "\"backups\":9"),
            "not among",
        ),
        (
            "other bytes shown",
            altered(good, "/document", "91aa77d0\\\"", "2f6c0b1e\\\""),
            "not among",
        ),
        (
            "white space",
            altered(good, "/document", "{", "{ "),
            "not among",
        ),
        (
            "a no made a yes",
            altered(good, "/challenge", "\"approve\"", "\"deny\""),
            "another challenge",
        ),
        (
            "another approver",
            altered(good, "/challenge", "person_", "person_0"),
            "another challenge",
        ),
        (
            "another checkpoint",
            altered(good, "/challenge", "\\n7\\n", "\\n8\\n"),
            "another challenge",
        ),
        (
            "another origin",
            altered(good, "/origin", "http://", "https://"),
            "another origin",
        ),
        (
            "another relying party",
            altered(good, "/rp_id", "localhost", "example"),
            "another relying party",
        ),
        (
            "a signature's bit",
            flipped(good, "/assertion/signature"),
            "signature",
        ),
        (
            "client data's bit",
            flipped(good, "/assertion/client_data"),
            "",
        ),
        (
            "authenticator data's bit",
            flipped(good, "/assertion/authenticator_data"),
            "does not hold",
        ),
        (
            "the key's bit",
            flipped(good, "/public_key"),
            "not on the curve",
        ),
        (
            "another person's key",
            swapped("/public_key"),
            "does not hold",
        ),
        (
            "another signature",
            swapped("/assertion/signature"),
            "does not hold",
        ),
        (
            "another ceremony",
            swapped("/challenge"),
            "another challenge",
        ),
        (
            "padding",
            altered(good, "/public_key", "pQ", "pQ="),
            "base64url",
        ),
        ("a field too many", more, "exactly the fields"),
    ] {
        let (code, said) = run(&record.to_string());
        assert_eq!(code, 1, "{name}: {said}");
        assert!(
            said.contains("NOT VERIFIED") && said.contains(why),
            "{name}: {said}"
        );
    }
}

#[tokio::test]
async fn a_record_says_each_thing_once() {
    let records = signed(0).await;
    let text = records[0].to_string();
    let twice = format!("{{\"origin\":\"http://evil.example\",{}", &text[1..]);
    for bad in [twice.as_str(), "", "[]", "{}", "null"] {
        let (code, said) = run(bad);
        assert_eq!(code, 1, "{bad}: {said}");
    }
}

/// An exported ledger entry and its body, as a record would come out of the log.
fn entry_and_body(records: &[Value], index: usize) -> (Value, String) {
    let documents: Vec<_> = records.iter().map(|record| &record["document"]).collect();
    let body = json!({"documents": documents}).to_string();
    let mut signature = records[index].clone();
    let document = signature
        .as_object_mut()
        .unwrap()
        .remove("document")
        .unwrap();
    let document: Value = serde_json::from_str(document.as_str().unwrap()).unwrap();
    let challenge: Value = serde_json::from_str(signature["challenge"].as_str().unwrap()).unwrap();
    signature["person"] = challenge["approver"].clone();
    let name = format!("sha256:{}", hex::encode(sha2::Sha256::digest(&body)));
    let entry = json!({"type": "judged", "at": 5, "hold": document["hold"], "body": name,
        "signature": signature});
    (json!({"index": 7, "leaf_hash": "00", "entry": entry}), body)
}

#[tokio::test]
async fn an_exported_entry_verifies_with_its_body() {
    let records = signed(0).await;
    for index in 0..records.len() {
        let (entry, body) = entry_and_body(&records, index);
        let (code, said) = run_on(&[&entry.to_string(), &body]);
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(&entry["entry"]["hold"].to_string()), "{said}");
    }
    let (entry, body) = entry_and_body(&records, 0);
    let other_body = body.replacen("railway", "elsewhere", 1);
    let mut other_hold = entry.clone();
    other_hold["entry"]["hold"] = "hold_0000000000000000000000".into();
    let mut other_person = entry.clone();
    other_person["entry"]["signature"]["person"] = "person_0000000000000000000000".into();
    let mut other_type = entry.clone();
    other_type["entry"]["type"] = "held".into();
    for (entry, body, why) in [
        (&entry, &other_body, "not the one that the entry names"),
        (&other_hold, &body, "for the entry's hold"),
        (&other_person, &body, "another person"),
        (&other_type, &body, "not of type"),
    ] {
        let (code, said) = run_on(&[&entry.to_string(), body]);
        assert!(code == 1 && said.contains(why), "{why}: {said}");
    }
}
