//! Looks for an upstream's credential in what streams by.
//!
//! A credential may be cut by the borders of the pieces in which an answer arrives, so the end of what
//! came is kept back until it is known that no credential begins there. A credential never contains a
//! line break or another control character (it travels in a header line), so everything up to the last
//! of those can go at once: events of an event stream are not delayed.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame};
use tagout_core::ids::UpstreamName;
use tagout_core::pipeline::Vault;

use crate::limits::CREDENTIAL_LIMIT_BYTES;
use crate::reply::BrokenOff;
use crate::upstream::AnswerBody;

/// The part of a scrubber that does not know of connections.
struct Window {
    vault: Arc<dyn Vault>,
    upstream: UpstreamName,
    kept: Vec<u8>,
}

/// A streamed answer without the credential.
pub(crate) struct Scrubbed {
    body: AnswerBody,
    window: Window,
    ready: VecDeque<Frame<Bytes>>,
    ended: bool,
}

impl Window {
    /// Takes the next piece and gives what may go on.
    fn push(&mut self, piece: &[u8]) -> Bytes {
        self.kept.extend_from_slice(piece);
        self.vault.scrub(&self.upstream, &mut self.kept);
        self.release(safe_length(&self.kept))
    }

    fn release(&mut self, length: usize) -> Bytes {
        let rest = self.kept.split_off(length.min(self.kept.len()));
        Bytes::from(std::mem::replace(&mut self.kept, rest))
    }

    /// Gives what was kept back.
    fn finish(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.kept))
    }
}

/// How many of `bytes` can't be part of a credential that is still to be completed.
fn safe_length(bytes: &[u8]) -> usize {
    let after_control = bytes
        .iter()
        .rposition(|byte| byte.is_ascii_control() && *byte != b'\t');
    let beyond_longest = bytes.len().saturating_sub(CREDENTIAL_LIMIT_BYTES);
    after_control
        .map_or(0, |index| index + 1)
        .max(beyond_longest)
}

impl Scrubbed {
    /// Watches over `body`.
    pub(crate) fn new(body: AnswerBody, upstream: UpstreamName, vault: Arc<dyn Vault>) -> Self {
        let window = Window {
            vault,
            upstream,
            kept: Vec::new(),
        };
        Self {
            body,
            window,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    fn take_in(&mut self, frame: Option<Frame<Bytes>>) {
        match frame.map(Frame::into_data) {
            Some(Ok(data)) => {
                let released = self.window.push(&data);
                self.enqueue(released);
            }
            Some(Err(frame)) => self.take_trailers(frame),
            None => self.end(),
        }
    }

    /// Trailers are rare and could echo anything; only their being there ends the body.
    fn take_trailers(&mut self, frame: Frame<Bytes>) {
        let status = frame
            .into_trailers()
            .ok()
            .map(|trailers| grpc_status(&trailers));
        self.end();
        if let Some(kept) = status.filter(|kept| !kept.is_empty()) {
            self.ready.push_back(Frame::trailers(kept));
        }
    }

    fn end(&mut self) {
        let rest = self.window.finish();
        self.enqueue(rest);
        self.ended = true;
    }

    fn enqueue(&mut self, data: Bytes) {
        if !data.is_empty() {
            self.ready.push_back(Frame::data(data));
        }
    }
}

/// Without its status in the trailers, a gRPC client takes a good answer for a broken one.
fn grpc_status(trailers: &HeaderMap) -> HeaderMap {
    let mut kept = HeaderMap::new();
    if let Some(status) = trailers
        .get("grpc-status")
        .filter(|status| status.len() <= 2)
    {
        kept.insert("grpc-status", status.clone());
    }
    kept
}

impl Body for Scrubbed {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(frame)));
            }
            if self.ended {
                return Poll::Ready(None);
            }
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(context)).transpose() {
                Ok(frame) => self.take_in(frame),
                Err(error) => return Poll::Ready(Some(Err(BrokenOff(error.to_string())))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ended && self.ready.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tagout_core::operation::Exact;
    use tagout_core::permit::Clearance;
    use tagout_core::pipeline::{AuthorizedHeaders, Later, VaultError};

    const SECRET: &[u8] = b"s3cr3t-credential";

    struct OneSecret;

    impl Vault for OneSecret {
        fn authorize<'a>(
            &'a self,
            _: &'a Clearance,
            _: &'a Exact,
            _: &'a UpstreamName,
            _: &'a str,
        ) -> Later<'a, Result<AuthorizedHeaders, VaultError>> {
            Box::pin(async { Ok(AuthorizedHeaders(Vec::new())) })
        }

        fn scrub(&self, _: &UpstreamName, text: &mut Vec<u8>) -> bool {
            let Some(at) = text
                .windows(SECRET.len())
                .position(|window| window == SECRET)
            else {
                return false;
            };
            text.splice(at..at + SECRET.len(), *b"[gone]");
            self.scrub(&"x".parse().unwrap(), text);
            true
        }
    }

    fn window() -> Window {
        Window {
            vault: Arc::new(OneSecret),
            upstream: "x".parse().unwrap(),
            kept: Vec::new(),
        }
    }

    fn pass(pieces: &[&[u8]]) -> Vec<u8> {
        let mut window = window();
        let mut out: Vec<u8> = pieces.iter().flat_map(|piece| window.push(piece)).collect();
        out.extend(window.finish());
        out
    }

    #[test]
    fn events_are_not_delayed() {
        assert_eq!(&window().push(b"data: hello\n\n")[..], b"data: hello\n\n");
        assert_eq!(
            &window().push(b"data: hello\n\ndata: s3c")[..],
            b"data: hello\n\n"
        );
    }

    proptest! {
        #[test]
        fn however_it_is_cut_the_credential_does_not_pass(
            before in "[a-z \n]{0,40}", after in "[a-z \n]{0,40}",
            cuts in proptest::collection::vec(0_usize..100, 0..6),
        ) {
            let whole = [before.as_bytes(), SECRET, after.as_bytes(), SECRET].concat();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(whole.len())).collect();
            cuts.extend([0, whole.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &whole[pair[0]..pair[1]]).collect();
            let expected = [before.as_bytes(), b"[gone]", after.as_bytes(), b"[gone]"].concat();
            prop_assert_eq!(pass(&pieces), expected);
        }

        #[test]
        fn what_holds_no_credential_passes_unchanged(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..6000), 0..8),
        ) {
            let borrowed: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(pass(&borrowed), pieces.concat());
        }
    }
}
