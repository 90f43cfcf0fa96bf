//! One deletion written in many ways by real clients: one verdict for all of them. What cannot be read
//! in exactly one way goes nowhere.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on has failed"
)]

use std::time::Duration;

use serde_json::json;
use standin_railway::seed;
use tagout_stage::{Agent, Heard, Setting};
use tagout_tests::documents::volume_delete;
use tagout_tests::{NOTHING, Scene, Told, rights};

const PATH: &str = "/graphql/v2";
const HOST: &str = "backboard.railway.com";

fn curl(agent: &Agent, more: &[&str], body: &[u8]) -> Heard {
    agent.send(PATH, HOST, more, body).unwrap()
}

fn json_body(agent: &Agent, body: &str) -> Heard {
    let more = [
        "-H",
        "Content-Type: application/json",
        "--data-binary",
        "@-",
    ];
    curl(agent, &more, body.as_bytes())
}

fn gzipped(agent: &Agent, body: &str) -> Vec<u8> {
    let zipped = agent.run("gzip", &["-c"], body.as_bytes()).unwrap();
    zipped.stdout
}

/// Python's own library, as a script of an agent's would use it.
fn python(agent: &Agent, body: &str) -> Heard {
    let script = r"
import os, sys, urllib.request
request = urllib.request.Request(os.environ['TAGOUT_URL'] + '/graphql/v2', data=sys.stdin.buffer.read(),
    headers={'Authorization': 'Bearer ' + os.environ['TAGOUT_TOKEN'], 'Content-Type': 'application/json',
             'Host': 'backboard.railway.com'})
try:
    answer = urllib.request.urlopen(request)
except urllib.error.HTTPError as error:
    answer = error
print('HTTP/1.1', answer.status, 'x', end='\r\n\r\n')
print(answer.read().decode())
";
    script_output(agent, "python3", &["-c", script], body)
}

/// Node's own client, which knows of no proxy.
fn node(agent: &Agent, body: &str) -> Heard {
    let script = r"
const http = require('http');
let body = '';
process.stdin.on('data', (part) => { body += part; });
process.stdin.on('end', () => {
  const url = new URL(process.env.TAGOUT_URL + '/graphql/v2');
  const request = http.request({ host: url.hostname, port: url.port, path: url.pathname, method: 'POST',
    headers: { Authorization: 'Bearer ' + process.env.TAGOUT_TOKEN, Host: 'backboard.railway.com',
               'Content-Type': 'application/json; charset=utf-8', 'Transfer-Encoding': 'chunked' } }, (answer) => {
    let text = '';
    answer.on('data', (part) => { text += part; });
    answer.on('end', () => process.stdout.write('HTTP/1.1 ' + answer.statusCode + ' x\r\n\r\n' + text));
  });
  request.end(body);
});
";
    script_output(agent, "node", &["-e", script], body)
}

fn script_output(agent: &Agent, program: &str, arguments: &[&str], body: &str) -> Heard {
    let output = agent.run(program, arguments, body.as_bytes()).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    Heard::parse(&said).unwrap_or_else(|error| panic!("{program}: {error}: {output:?}"))
}

type Send = fn(&Agent) -> Heard;

/// Every way to ask for the same deletion.
const VARIANTS: &[(&str, Send)] = &[
    ("as published", |agent| {
        agent.graphql(&volume_delete()).unwrap()
    }),
    ("variables", |agent| {
        let document = "mutation Tidy($id: String!) { volumeDelete(volumeId: $id) }";
        agent
            .graphql_with(document, &json!({"id": seed::POSTGRES_VOLUME}))
            .unwrap()
    }),
    ("a default", |agent| {
        let document = format!(
            "mutation($id: String! = \"{}\") {{ volumeDelete(volumeId: $id) }}",
            seed::POSTGRES_VOLUME
        );
        agent.graphql(&document).unwrap()
    }),
    ("two aliases", |agent| {
        let id = seed::POSTGRES_VOLUME;
        let blog = seed::BLOG_VOLUME;
        agent.graphql(&format!("mutation {{ a: volumeDelete(volumeId: \"{id}\") b: volumeDelete(volumeId: \"{blog}\") }}")).unwrap()
    }),
    ("an alias that says it reads", |agent| {
        agent
            .graphql(&format!(
                "mutation {{ volumes: volumeDelete(volumeId: \"{}\") }}",
                seed::POSTGRES_VOLUME
            ))
            .unwrap()
    }),
    ("a fragment", |agent| {
        let document = "mutation($id: String!) { ...tidy } fragment tidy on Mutation { ... on Mutation { volumeDelete(volumeId: $id) } }";
        agent
            .graphql_with(document, &json!({"id": seed::POSTGRES_VOLUME}))
            .unwrap()
    }),
    ("several operations", |agent| {
        let document = format!(
            "query Look {{ me {{ id }} }} mutation Tidy {{ volumeDelete(volumeId: \"{}\") }}",
            seed::POSTGRES_VOLUME
        );
        json_body(
            agent,
            &json!({"query": document, "operationName": "Tidy"}).to_string(),
        )
    }),
    ("a batch", |agent| {
        json_body(
            agent,
            &json!([{"query": "{ me { id } }"}, {"query": volume_delete()}]).to_string(),
        )
    }),
    ("gzip", |agent| {
        let body = gzipped(agent, &json!({"query": volume_delete()}).to_string());
        let more = [
            "-H",
            "Content-Type: application/json",
            "-H",
            "Content-Encoding: gzip",
            "--data-binary",
            "@-",
        ];
        curl(agent, &more, &body)
    }),
    ("a form", |agent| {
        let query = format!("query={}", volume_delete());
        curl(agent, &["--data-urlencode", &query], b"")
    }),
    ("GET", |agent| {
        let query = format!("query={}", volume_delete());
        curl(agent, &["-G", "--data-urlencode", &query], b"")
    }),
    ("comments, commas, a block of text", |agent| {
        let document = format!(
            "# query {{ me }}\nmutation,,{{ # volumes\r\n volumeDelete,(,volumeId:,\"\"\"{}\"\"\",) }}",
            seed::POSTGRES_VOLUME
        );
        agent.graphql(&document).unwrap()
    }),
    ("application/graphql", |agent| {
        let more = [
            "-H",
            "Content-Type: application/graphql",
            "--data-binary",
            "@-",
        ];
        curl(agent, &more, volume_delete().as_bytes())
    }),
    ("escapes in the JSON", |agent| {
        let body = json!({"query": volume_delete()})
            .to_string()
            .replace("volumeDelete", "\\u0076olume\\u0044elete");
        json_body(agent, &body.replace("\"query\"", "\"quer\\u0079\""))
    }),
    ("text/plain", |agent| {
        let body = json!({"query": volume_delete()}).to_string();
        curl(
            agent,
            &["-H", "Content-Type: text/plain", "--data-binary", "@-"],
            body.as_bytes(),
        )
    }),
    ("skipped by a variable that says no", |agent| {
        let document =
            "mutation($id: String!, $no: Boolean!) { volumeDelete(volumeId: $id) @skip(if: $no) }";
        agent
            .graphql_with(document, &json!({"id": seed::POSTGRES_VOLUME, "no": false}))
            .unwrap()
    }),
    ("Python", |agent| {
        python(agent, &json!({"query": volume_delete()}).to_string())
    }),
    ("Node, in chunks", |agent| {
        node(agent, &json!({"query": volume_delete()}).to_string())
    }),
];

/// What can't be read in exactly one way.
const UNREADABLE: &[(&str, Send)] = &[
    ("a byte order mark in the text", |agent| {
        agent
            .graphql(&format!("\u{feff}{}", volume_delete()))
            .unwrap()
    }),
    ("half of a document", |agent| {
        agent
            .graphql("mutation { volumeDelete(volumeId: \"")
            .unwrap()
    }),
    ("half of a JSON body", |agent| {
        json_body(agent, "{\"query\": \"mutation { volumeDelete")
    }),
    ("a member twice", |agent| {
        let harmless = json!("{ me { id } }");
        let harmful = json!(volume_delete());
        json_body(
            agent,
            &format!("{{\"query\": {harmless}, \"query\": {harmful}}}"),
        )
    }),
    ("one in the URL and one in the body", |agent| {
        let path = format!("{PATH}?query=%7Bme%7Bid%7D%7D");
        let body = json!({"query": volume_delete()}).to_string();
        agent.post(&path, HOST, &body).unwrap()
    }),
    ("a hash instead of a text", |agent| {
        json_body(
            agent,
            r#"{"extensions": {"persistedQuery": {"version": 1, "sha256Hash": "ecf4edb46db40b5132295c0291d62fb65d6759a9eedfa4d5d612dd5ec54a6b38"}}}"#,
        )
    }),
    ("an encoding that is none", |agent| {
        let body = json!({"query": volume_delete()}).to_string();
        curl(
            agent,
            &["-H", "Content-Encoding: rot13", "--data-binary", "@-"],
            body.as_bytes(),
        )
    }),
    ("gzip that is cut off", |agent| {
        let body = gzipped(agent, &json!({"query": volume_delete()}).to_string());
        let half = body.len() / 2;
        curl(
            agent,
            &["-H", "Content-Encoding: gzip", "--data-binary", "@-"],
            &body[..half],
        )
    }),
    ("a field that nobody knows", |agent| {
        agent
            .graphql("mutation { volumeObliterate(all: true) }")
            .unwrap()
    }),
    ("UTF-16", |agent| {
        let body = json!({"query": volume_delete()}).to_string();
        let wide: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
        curl(
            agent,
            &[
                "-H",
                "Content-Type: application/json; charset=utf-16",
                "--data-binary",
                "@-",
            ],
            &wide,
        )
    }),
    ("GraphQL on another path", |agent| {
        let body = json!({"query": volume_delete()}).to_string();
        let more = ["--path-as-is", "-d", &body];
        agent.send("/graphql/v2/../v3", HOST, &more, b"").unwrap()
    }),
];

/// Sends it; where the gateway says that it came too fast, waits as long as the gateway says.
fn patiently(agent: &Agent, send: Send) -> Heard {
    for _ in 0..60 {
        let heard = send(agent);
        match heard.retry_after_s() {
            Some(seconds) if heard.kind().as_deref() == Some("RATE") => {
                std::thread::sleep(Duration::from_secs(seconds));
            }
            _ => return heard,
        }
    }
    panic!("it never passes the rate")
}

#[test]
fn m03_every_way_to_write_it_has_one_verdict_and_what_is_unreadable_goes_nowhere() {
    let mut scene = Scene::open().unwrap();
    let volumes = rights(&["write", "destroy"], &["volume:*"], &["staging"]);
    let agent = scene.agent(Some(&volumes)).unwrap();
    m03(&scene, &agent);
}

#[test]
fn m03_through_the_proxy() {
    let setting = Setting {
        forward: true,
        ..Setting::default()
    };
    let mut scene = Scene::open_with(setting).unwrap();
    let volumes = rights(&["write", "destroy"], &["volume:*"], &["staging"]);
    let agent = scene.proxied_agent(Some(&volumes)).unwrap();
    m03(&scene, &agent);
}

fn m03(scene: &Scene, agent: &Agent) {
    let before = scene.before().unwrap();
    let volume = format!("volume:{}", seed::POSTGRES_VOLUME);
    let possible = |name: &str| agent.proxy.is_none() || !name.starts_with("Node");
    let all = |list: &[(&'static str, Send)]| -> Vec<(&str, Heard)> {
        list.iter()
            .filter(|(name, _)| possible(name))
            .map(|(name, send)| (*name, patiently(agent, *send)))
            .collect()
    };
    let (heard, unread) = (all(VARIANTS), all(UNREADABLE));
    let wrong = |list: &[(&str, Heard)], kinds: &[&str]| -> Vec<String> {
        let fits = |heard: &Heard| {
            heard
                .kind()
                .is_some_and(|kind| kinds.contains(&kind.as_str()))
        };
        list.iter()
            .filter(|(_, heard)| !fits(heard))
            .map(|(name, heard)| format!("{name}: {heard:?}"))
            .collect()
    };
    assert_eq!(wrong(&heard, &["HELD"]), Vec::<String>::new());
    assert_eq!(wrong(&unread, &["HELD", "DENIED"]), Vec::<String>::new());
    let told: Vec<_> = heard
        .iter()
        .map(|(_, heard)| Told {
            heard,
            code: "HELD",
            resource: &volume,
            environment: "production",
        })
        .collect();
    scene.evidence(&before, &told, &NOTHING, &[agent]).unwrap();
}
