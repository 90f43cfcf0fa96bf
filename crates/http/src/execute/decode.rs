//! Undoes the content encoding of an answer. We ask for none, but a server may not listen.

use std::io::Read;

use bytes::Bytes;
use http::HeaderMap;

/// Whether an answer is encoded, so that nothing in it can be found as it is.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(http::header::CONTENT_ENCODING).iter();
    codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// The decoded body. `None` where the encoding is not one of gzip, deflate, br, or is more than one,
/// where the body does not follow it, or where it is longer than `limit_bytes` when decoded.
pub(crate) fn decode(headers: &HeaderMap, body: Bytes, limit_bytes: usize) -> Option<Bytes> {
    if body.is_empty() || !is_encoded(headers) {
        return Some(body);
    }
    let mut codings = headers.get_all(http::header::CONTENT_ENCODING).iter();
    let (coding, None) = (codings.next()?, codings.next()) else {
        return None;
    };
    let body = body.as_ref();
    match coding.to_str().ok()?.trim().to_ascii_lowercase().as_str() {
        "gzip" | "x-gzip" => read_all(flate2::read::MultiGzDecoder::new(body), limit_bytes),
        "deflate" => read_all(flate2::read::ZlibDecoder::new(body), limit_bytes),
        "br" => read_all(
            brotli_decompressor::Decompressor::new(body, 4096),
            limit_bytes,
        ),
        _ => None,
    }
}

fn read_all(decoder: impl Read, limit_bytes: usize) -> Option<Bytes> {
    let mut out = Vec::new();
    let bound = u64::try_from(limit_bytes).ok()?.saturating_add(1);
    decoder.take(bound).read_to_end(&mut out).ok()?;
    (out.len() <= limit_bytes).then(|| out.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use std::io::Write as _;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn headers(coding: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", HeaderValue::from_static(coding));
        headers
    }

    #[test]
    fn known_encodings_are_undone_up_to_a_limit() {
        let body = gzip(&[b'a'; 1000]);
        let decoded = decode(&headers("gzip"), body.clone(), 1000);
        assert_eq!(decoded.as_deref(), Some([b'a'; 1000].as_slice()));
        assert_eq!(decode(&headers("gzip"), body.clone(), 999), None);
        for coding in ["zstd", "gzip, br", "br"] {
            assert_eq!(
                decode(&headers(coding), body.clone(), 1000),
                None,
                "{coding}"
            );
        }
        let plain = Bytes::from_static(b"x");
        assert_eq!(decode(&HeaderMap::new(), plain.clone(), 1000), Some(plain));
    }
}
