//! graphql-js, asked what a request would run.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Root fields with their coerced arguments for each request, or `None` where graphql-js refuses it.
pub(crate) fn ask(requests: &[Value]) -> Vec<Option<Vec<(String, Value)>>> {
    answers(requests).iter().map(fields).collect()
}

/// The oracle's answers as they are.
pub(crate) fn answers(requests: &[Value]) -> Vec<Value> {
    let folder = root().join("tests/oracle");
    assert!(
        folder.join("node_modules/graphql").is_dir(),
        "graphql-js is not installed: run `./dev test`, or `npm ci` in tests/oracle"
    );
    let mut node = Command::new("node")
        .arg(folder.join("oracle.mjs"))
        .arg(root().join("packs/railway/schema.graphql"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node is needed for the tests");
    let mut stdin = node.stdin.take().unwrap();
    let lines: String = requests
        .iter()
        .map(|request| format!("{request}\n"))
        .collect();
    let writer = std::thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let answers: Vec<Value> = BufReader::new(node.stdout.take().unwrap())
        .lines()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    writer.join().unwrap().unwrap();
    assert!(node.wait().unwrap().success());
    assert_eq!(answers.len(), requests.len());
    answers
}

fn fields(answer: &Value) -> Option<Vec<(String, Value)>> {
    if answer.get("error").is_some() {
        return None;
    }
    let fields = answer["fields"].as_array().unwrap().iter();
    Some(
        fields
            .map(|field| {
                (
                    field["name"].as_str().unwrap().to_owned(),
                    plain(&field["args"]),
                )
            })
            .collect(),
    )
}

/// JavaScript has one kind of number.
pub(crate) fn plain(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(plain).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        leaf => leaf.clone(),
    }
}

/// The root fields that we understood, request by request, in the same form.
pub(crate) fn understood(canonical: &Value) -> Vec<Vec<(String, Value)>> {
    let requests = canonical["graphql"].as_array().unwrap().iter();
    requests
        .map(|request| {
            let fields = request["fields"].as_array().unwrap().iter();
            fields
                .filter(|field| !field["name"].as_str().unwrap().starts_with("__"))
                .map(|field| {
                    (
                        field["name"].as_str().unwrap().to_owned(),
                        plain(&field["args"]),
                    )
                })
                .collect()
        })
        .collect()
}
