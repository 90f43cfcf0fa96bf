//! Requests that are refused because two parsers could disagree, and those that are not understood.

use std::io::Write as _;

use bytes::Bytes;
use serde_json::json;
use tagout_core::effect::Effect;

use crate::incidents::{delete, get, percent};
use crate::requests::{explainer, lines, message, understand, worst};

#[test]
fn what_could_be_read_in_two_ways_is_refused() {
    let explainer = explainer();
    let query = percent(&delete());
    let body = json!({"query": delete()}).to_string();
    let url_and_body = format!(
        "POST /graphql/v2?query={query} HTTP/1.1\r\nhost: backboard.railway.app\r\n\r\n{body}"
    );
    let refused: Vec<(&str, Bytes)> = vec![
        ("duplicate key", message("", br#"{"query":"{me{id}}","query":"mutation{volumeDelete(volumeId:\"1\")}"}"#)),
        ("duplicate variable", message("", br#"{"query":"mutation($i:String!){volumeDelete(volumeId:$i)}","variables":{"i":"1","i":"2"}}"#)),
        ("url and body", url_and_body.into()),
        ("two query pairs", message("content-type: application/x-www-form-urlencoded\r\n", format!("query=%7Bme%7Bid%7D%7D&query={query}").as_bytes())),
        ("utf-16", message("content-type: application/json; charset=utf-16\r\n", body.as_bytes())),
        ("utf-7", message("content-type: application/json; charset=utf-8; charset=utf-7\r\n", body.as_bytes())),
        ("byte order mark", message("", format!("\u{feff}{body}").as_bytes())),
        ("not utf-8", message("", b"{\"query\":\"{me{id}}\xff\"}")),
        ("override", message("x-http-method-override: GET\r\n", body.as_bytes())),
        ("two types", message("content-type: application/json\r\ncontent-type: text/plain\r\n", body.as_bytes())),
        ("two encodings", message("content-encoding: identity\r\ncontent-encoding: gzip\r\n", body.as_bytes())),
        ("two hosts", message("host: backboard.railway.com\r\n", body.as_bytes())),
        ("length and chunks", message("transfer-encoding: chunked\r\n", body.as_bytes())),
        ("folded", message("x-a: b\r\n c\r\n", body.as_bytes())),
    ];
    for (name, bytes) in refused {
        assert!(understand(&explainer, &bytes).is_err(), "{name}");
    }
}

#[test]
fn what_is_not_understood_is_unknown() {
    let explainer = explainer();
    let bomb = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..200 {
            encoder.write_all(&[b' '; 65536]).unwrap();
        }
        encoder.finish().unwrap()
    };
    let laughs: String = (0..30)
        .map(|n| {
            format!(
                "fragment F{n} on Mutation {{ ...F{} ...F{} }} ",
                n + 1,
                n + 1
            )
        })
        .collect();
    let query = |text: &str| message("", json!({"query": text}).to_string().as_bytes());
    let unknown: Vec<(&str, Bytes)> = vec![
        ("syntax", query("mutation { volumeDelete(volumeId: \"1\"")),
        ("unknown mutation", query("mutation { volumeObliterate(volumeId: \"1\") }")),
        ("unknown query", query("{ secretsOfTheUniverse }")),
        ("unknown argument", query("mutation { volumeDelete(volumeId: \"1\", force: true) }")),
        ("unknown input field", query("mutation { serviceInstanceUpdate(serviceId: \"1\", input: {evil: 1}) }")),
        ("missing argument", query("mutation { volumeDelete }")),
        ("wrong type", query("mutation { volumeDelete(volumeId: [\"1\", \"2\"]) }")),
        ("unknown nested field", query("{ project(id: \"1\") { secretField } }")),
        ("cycle", query("mutation { ...A } fragment A on Mutation { ...B } fragment B on Mutation { ...A }")),
        ("no fragment", query("mutation { ...A }")),
        ("laughs", query(&format!("mutation {{ ...F0 }} {laughs} fragment F30 on Mutation {{ volumeDelete(volumeId: \"1\") }}"))),
        ("two operations, no name", query("query A { me { id } } mutation B { volumeDelete(volumeId: \"1\") }")),
        ("wrong name", message("", br#"{"query":"query A{me{id}}","operationName":"B"}"#)),
        ("unknown directive", query("{ me @live { id } }")),
        ("directive on the operation", query("query @skip(if: false) { me { id } }")),
        ("defer", query("{ me @defer { id } }")),
        ("same key, other call", query("mutation { a: volumeDelete(volumeId: \"1\") a: volumeDelete(volumeId: \"2\") }")),
        ("hash only", message("", br#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ab"}}}"#)),
        ("hash in the url", get("extensions=%7B%7D")),
        // Whatever reads names without regard to case, or as lists, finds a query in these.
        ("another case in the url", get("Query=%7Bme%7Bid%7D%7D")),
        ("a list in the url", get("query[]=%7Bme%7Bid%7D%7D")),
        ("another separator in the url", get("a=b;query=%7Bme%7Bid%7D%7D")),
        ("variables as text", message("", br#"{"query":"{me{id}}","variables":"{}"}"#)),
        ("bomb", message("content-encoding: gzip\r\n", &bomb)),
        ("deflate", message("content-encoding: deflate\r\n", b"x")),
        ("multipart", message("content-type: multipart/form-data; boundary=x\r\n", b"--x--")),
        ("empty", message("", b"")),
        ("no json", message("content-type: application/json\r\n", b"query=%7Bme%7D")),
        ("another path", Bytes::from_static(b"POST /graphql/v3 HTTP/1.1\r\nhost: backboard.railway.app\r\n\r\n{\"query\":\"{me{id}}\"}")),
    ];
    for (name, bytes) in unknown {
        let understood = understand(&explainer, &bytes);
        assert_eq!(
            worst(&understood),
            Effect::Unknown,
            "{name}: {:?}",
            lines(&understood)
        );
        assert!(understood.is_ok(), "{name}: {understood:?}");
    }
}
