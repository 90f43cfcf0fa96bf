//! What a body is wrapped in: compression, character set, form encoding.

use std::io::Read;

use bytes::Bytes;

use super::ambiguous::Ambiguous;
use super::message::Message;

/// Bytes after decompression that are still read.
pub(crate) const MAX_DECODED_BYTES: u64 = 8 * 1024 * 1024;

/// The content of a body, or why there is none that we could read.
pub(crate) enum Content {
    Plain(Bytes),
    Sealed(&'static str),
}

/// Undoes `content-encoding`.
pub(crate) fn content(message: &Message) -> Content {
    let coding = message
        .header("content-encoding")
        .unwrap_or("identity")
        .trim();
    match coding.to_ascii_lowercase().as_str() {
        "identity" | "" => Content::Plain(message.body.clone()),
        "gzip" | "x-gzip" => read(flate2::read::MultiGzDecoder::new(&message.body[..])),
        "br" => read(brotli_decompressor::Decompressor::new(
            &message.body[..],
            4096,
        )),
        _ => Content::Sealed("the body is compressed in a way that is not read here"),
    }
}

fn read(decoder: impl Read) -> Content {
    let mut out = Vec::new();
    match decoder.take(MAX_DECODED_BYTES + 1).read_to_end(&mut out) {
        Ok(length) if length as u64 <= MAX_DECODED_BYTES => Content::Plain(out.into()),
        Ok(_) => Content::Sealed("the body is too large once it is decompressed"),
        Err(_) => Content::Sealed("the body can't be decompressed"),
    }
}

/// The media type in lower case without parameters; empty if there is none.
pub(crate) fn media_type(message: &Message) -> String {
    let value = message.header("content-type").unwrap_or_default();
    let kind = value.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

/// Refuses every character set but UTF-8.
pub(crate) fn check_charset(message: &Message) -> Result<(), Ambiguous> {
    let value = message.header("content-type").unwrap_or_default();
    let mut seen: Option<String> = None;
    for parameter in value.split(';').skip(1) {
        let (name, charset) = parameter.split_once('=').unwrap_or((parameter, ""));
        if !name.trim().eq_ignore_ascii_case("charset") {
            continue;
        }
        let charset = charset.trim().trim_matches('"').to_ascii_lowercase();
        if !matches!(charset.as_str(), "utf-8" | "utf8" | "us-ascii") || seen.is_some() {
            return Err(Ambiguous::Charset(charset));
        }
        seen = Some(charset);
    }
    Ok(())
}

/// Parameters of a query string or a form, decoded; `None` where the percent encoding is broken or
/// does not give UTF-8.
pub(crate) fn parameters(text: &str) -> Option<Vec<(String, String)>> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decoded(name, true)?, decoded(value, true)?))
        })
        .collect()
}

/// Undoes percent encoding.
pub(crate) fn decoded(text: &str, plus_is_blank: bool) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => out.push(hex(bytes.next()?)? * 16 + hex(bytes.next()?)?),
            b'+' if plus_is_blank => out.push(b' '),
            other => out.push(other),
        }
    }
    String::from_utf8(out).ok()
}

fn hex(digit: u8) -> Option<u8> {
    u8::try_from(char::from(digit).to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded() {
        assert_eq!(
            parameters("query=%7Bme%7D&a+b=c%26&&x"),
            Some(vec![
                ("query".to_owned(), "{me}".to_owned()),
                ("a b".to_owned(), "c&".to_owned()),
                ("x".to_owned(), String::new()),
            ])
        );
        assert_eq!(parameters("a=%zz"), None);
        assert_eq!(parameters("a=%ff"), None);
    }
}
