//! Requests that no longer are what they were: bytes, keys, words, headers.

use super::carrier::{CONTENT_TYPES, Message, Wrapping};
use super::dice::Dice;

/// A few changes to a message; what its headers say of its length stays true.
pub(crate) fn damage(message: &mut Message, dice: &mut Dice) {
    for _ in 0..dice.pick(&[1, 1, 1, 2, 3]) {
        match dice.roll(10) {
            0..3 => bytes(message, dice),
            3..5 => words(message, dice),
            5 => keys(message, dice),
            6 => letters(message, dice),
            7 => content_type(message, dice),
            8 => head(message, dice),
            _ => way(message, dice),
        }
    }
}

/// Flips, takes out, puts in or repeats bytes of the body, or of the target where there is no body.
fn bytes(message: &mut Message, dice: &mut Dice) {
    if !message.body.is_empty() {
        spoil(&mut message.body, dice);
        return;
    }
    let mut target = message.target.clone().into_bytes();
    spoil(&mut target, dice);
    if let Ok(target) = String::from_utf8(target) {
        message.target = target;
    }
}

fn spoil(bytes: &mut Vec<u8>, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let at = dice.roll(bytes.len());
    match dice.roll(5) {
        0 => bytes[at] ^= 1 << dice.roll(8),
        1 => drop(bytes.remove(at)),
        2 => bytes.insert(at, dice.pick(b"{}()[]\"\\:,#@!$ \n\0qm0")),
        3 => bytes[at] = dice.pick(b"{}()[]\"\\:,#@!$ \nqm0"),
        _ => {
            let end = (at + dice.roll(40)).min(bytes.len());
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
    }
}

/// One word for another, where it stands for the first or the last time.
fn words(message: &mut Message, dice: &mut Dice) {
    const SWAPS: [(&str, &str); 12] = [
        ("query", "mutation"),
        ("mutation", "query"),
        ("mutation", "subscription"),
        ("Mutation", "Query"),
        ("Query", "Mutation"),
        ("true", "false"),
        ("false", "true"),
        ("skip", "include"),
        ("project(", "projectDelete("),
        ("service(", "serviceDelete("),
        ("operationName", "operationname"),
        ("{", "{ me: "),
    ];
    let (from, to) = dice.pick(&SWAPS);
    let last = dice.percent(50);
    let swapped = |text: &str| {
        let at = if last {
            text.rfind(from)
        } else {
            text.find(from)
        };
        at.map(|at| [&text[..at], to, &text[at + from.len()..]].concat())
    };
    let text = String::from_utf8_lossy(&message.body).into_owned();
    if let Some(text) = swapped(&text) {
        message.body = text.into_bytes();
    } else if let Some(target) = swapped(&message.target) {
        message.target = target.replace(' ', "+");
    }
}

/// A member twice, or under a name that only careless parsers take for the same.
fn keys(message: &mut Message, dice: &mut Dice) {
    const HARMLESS: [&str; 6] = [
        "\"query\":\"{me{id}}\"",
        "\"Query\":\"{me{id}}\"",
        "\"query \":\"{me{id}}\"",
        "\"qu\\u0065ry\":\"{me{id}}\"",
        "\"operationName\":null",
        "\"variables\":{}",
    ];
    let Some(first) = message.body.iter().position(|byte| *byte == b'{') else {
        let harmless = if message.body.is_empty() {
            format!("{}&query=%7Bme%7Bid%7D%7D", message.target)
        } else {
            message.body.extend(b"&query=%7Bme%7Bid%7D%7D");
            return;
        };
        message.target = harmless;
        return;
    };
    let member = dice.pick(&HARMLESS);
    if dice.percent(50) {
        let text = format!("{member},");
        message.body.splice(first + 1..first + 1, text.bytes());
    } else if let Some(last) = message.body.iter().rposition(|byte| *byte == b'}') {
        let text = format!(",{member}");
        message.body.splice(last..last, text.bytes());
    }
}

/// Letters that parsers disagree about.
fn letters(message: &mut Message, dice: &mut Dice) {
    const LETTERS: [&str; 12] = [
        "\u{feff}", "\u{2028}", "\u{a0}", "\u{b}", "\u{c}", "\r", "\\r", "\\n", "\\u0000",
        "\\ud800", "\"\"\"", "&",
    ];
    let mut text = String::from_utf8_lossy(&message.body).into_owned();
    let mut at = dice.roll(text.len() + 1);
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    text.insert_str(at, dice.pick(&LETTERS));
    message.body = text.into_bytes();
}

fn content_type(message: &mut Message, dice: &mut Dice) {
    message.headers.retain(|(name, _)| *name != "content-type");
    let kind = match dice.roll(10) {
        0 => "application/graphql",
        1 => "application/json; charset=utf-16",
        2 => "multipart/form-data; boundary=x",
        3 => "APPLICATION/GRAPHQL; q=1",
        4 => "application/graphqlx",
        _ => dice.pick(&CONTENT_TYPES),
    };
    message.headers.push(("content-type", kind.to_owned()));
}

fn head(message: &mut Message, dice: &mut Dice) {
    let (name, value) = dice.pick(&[
        ("x-http-method-override", "GET"),
        ("content-encoding", "gzip"),
        ("content-encoding", "identity"),
        ("content-encoding", "br"),
        ("content-length", "2"),
        ("transfer-encoding", "chunked"),
        ("accept", "text/html"),
        ("apollo-require-preflight", "1"),
        ("host", "backboard.railway.app"),
        ("x-original-url", "/graphql/internal"),
        ("x-a", "b\r\n folded"),
    ]);
    message.headers.push((name, value.to_owned()));
}

/// Another method, another path, the other wrapping.
fn way(message: &mut Message, dice: &mut Dice) {
    match dice.roll(4) {
        0 => message.method = dice.pick(&["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"]),
        1 => message.wrapping = dice.pick(&[Wrapping::Gzip, Wrapping::Chunked, Wrapping::Plain]),
        2 => {
            let path = dice.pick(&["/graphql/v2/", "/graphql", "//graphql/v2", "/graphql/%762"]);
            message.target = message.target.replacen("/graphql/v2", path, 1);
        }
        _ => {
            let separator = if message.target.contains('?') {
                '&'
            } else {
                '?'
            };
            let more = dice.pick(&[
                "query=%7Bme%7Bid%7D%7D",
                "x=1",
                "extensions={}",
                "variables={}",
            ]);
            message.target = format!("{}{separator}{more}", message.target);
        }
    }
}
