//! Reads a request body, within a limit, and undoes its compression.

use std::io::Read;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;

use super::request::Refused;

/// The largest body that is read, packed or unpacked.
const LIMIT_BYTES: usize = 4 * 1024 * 1024;

/// The body in clear.
pub(super) async fn read(headers: &HeaderMap, body: Incoming) -> Result<Bytes, Refused> {
    let packed = Limited::new(body, LIMIT_BYTES).collect().await;
    let packed = packed.map_err(|_| Refused::new(StatusCode::PAYLOAD_TOO_LARGE, "body"))?;
    let packed = packed.to_bytes();
    let encoding = headers
        .get("content-encoding")
        .and_then(|v| v.to_str().ok());
    match encoding
        .unwrap_or("identity")
        .trim()
        .to_ascii_lowercase()
        .as_str()
    {
        "identity" | "" => Ok(packed),
        "gzip" | "x-gzip" => unpack(flate2::read::MultiGzDecoder::new(packed.as_ref())),
        "deflate" => unpack(flate2::read::ZlibDecoder::new(packed.as_ref())),
        "br" => unpack(brotli_decompressor::Decompressor::new(
            packed.as_ref(),
            4096,
        )),
        other => {
            let text = format!("unsupported content encoding \"{other}\"");
            Err(Refused::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text))
        }
    }
}

fn unpack(reader: impl Read) -> Result<Bytes, Refused> {
    let mut clear = Vec::new();
    let limit = LIMIT_BYTES as u64;
    let read = reader.take(limit + 1).read_to_end(&mut clear);
    match read {
        Ok(count) if count as u64 <= limit => Ok(clear.into()),
        Ok(_) => Err(Refused::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body too large",
        )),
        Err(_) => Err(Refused::new(
            StatusCode::BAD_REQUEST,
            "body is not what its encoding says",
        )),
    }
}
