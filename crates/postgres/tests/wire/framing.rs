//! Where messages begin and end, however they are cut on the way.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tagout_postgres::wire::{Arrived, Frame, FrameError, Frames, Limits, write};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What comes in these pieces, one a read.
fn in_pieces(pieces: Vec<Bytes>) -> impl AsyncRead + Unpin {
    pieces::Script {
        pieces: pieces.into(),
    }
}

/// A reader that gives one piece at a time.
mod pieces {
    use std::collections::VecDeque;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    use bytes::Bytes;
    use tokio::io::{AsyncRead, ReadBuf};

    pub(super) struct Script {
        pub(super) pieces: VecDeque<Bytes>,
    }

    impl AsyncRead for Script {
        fn poll_read(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            out: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            while self.pieces.front().is_some_and(Bytes::is_empty) {
                self.pieces.pop_front();
            }
            if let Some(piece) = self.pieces.front_mut() {
                let length = piece.len().min(out.remaining());
                out.put_slice(&piece.split_to(length));
            }
            Poll::Ready(Ok(()))
        }
    }
}

/// Everything that arrives, large messages put together again.
async fn all(mut from: impl AsyncRead + Unpin, limits: Limits) -> Result<Vec<Frame>, FrameError> {
    let mut frames = Frames::new(limits);
    let mut found = Vec::new();
    while let Some(arrived) = frames.next(&mut from).await? {
        found.push(match arrived {
            Arrived::Frame(frame) => frame,
            Arrived::Large(header) => {
                assert_eq!(frames.next_buffered(), Err(FrameError::Untaken));
                let mut whole = BytesMut::from(&header.bytes[..]);
                while let Some(piece) = frames.piece(&mut from).await? {
                    assert!(!piece.is_empty() && piece.len() <= 64 * 1024);
                    whole.extend_from_slice(&piece);
                }
                assert_eq!(whole.len(), header.body + 5);
                Frame {
                    tag: header.tag,
                    bytes: whole.freeze(),
                }
            }
        });
    }
    Ok(found)
}

fn some_messages() -> Bytes {
    let mut out = BytesMut::new();
    write::query(&mut out, "SELECT 1");
    write::sync(&mut out);
    write::parse(&mut out, "s", "SELECT $1", &[23, 25]);
    write::bind(&mut out, "", "s", &[Some(b"7"), None]);
    write::copy_data(&mut out, &[7; 300]);
    write::terminate(&mut out);
    out.freeze()
}

fn tags(frames: &[Frame]) -> String {
    frames.iter().map(|frame| char::from(frame.tag)).collect()
}

#[tokio::test]
async fn a_cut_at_any_byte_gives_the_same_messages() {
    let bytes = some_messages();
    for limits in [Limits::whole(1024), Limits::whole(20)] {
        let whole = all(in_pieces(vec![bytes.clone()]), limits).await.unwrap();
        assert_eq!(tags(&whole), "QSPBdX");
        for at in 0..=bytes.len() {
            let pieces = vec![bytes.slice(..at), bytes.slice(at..)];
            assert_eq!(all(in_pieces(pieces), limits).await.unwrap(), whole, "{at}");
        }
    }
}

#[tokio::test]
async fn an_end_inside_a_message_is_no_end() {
    let bytes = some_messages();
    let whole = all(in_pieces(vec![bytes.clone()]), Limits::whole(1024)).await;
    let mut ends: Vec<usize> = vec![0];
    for frame in whole.unwrap() {
        ends.push(ends.last().unwrap() + frame.bytes.len());
    }
    for limits in [Limits::whole(1024), Limits::whole(20)] {
        for at in 0..=bytes.len() {
            let read = all(in_pieces(vec![bytes.slice(..at)]), limits).await;
            let expected = ends.contains(&at);
            assert_eq!(read.is_ok(), expected, "{at}: {read:?}");
            assert!(expected || read == Err(FrameError::Cut), "{at}");
        }
    }
}

#[tokio::test]
async fn many_messages_come_with_one_read() {
    let mut from = in_pieces(vec![some_messages()]);
    let mut frames = Frames::new(Limits::whole(1024));
    assert_eq!(frames.next_buffered(), Ok(None));
    frames.next(&mut from).await.unwrap().unwrap();
    let mut more = 0;
    while frames.next_buffered().unwrap().is_some() {
        more += 1;
    }
    assert_eq!(more, 5);
    assert!(frames.is_empty());
}

#[tokio::test]
async fn no_length_is_believed() {
    let negative = |length: i32| FrameError::Length(length);
    let too_long = |length: i32, most: usize| FrameError::TooLong {
        length: usize::try_from(length).unwrap(),
        most,
    };
    let cases = [
        (Limits::whole(100), i32::MIN, negative(i32::MIN)),
        (Limits::whole(100), -1, negative(-1)),
        (Limits::whole(100), 0, negative(0)),
        (Limits::whole(100), 3, negative(3)),
        (Limits::STRANGER, 10_000, too_long(10_000, 10_000)),
        (Limits::STRANGER, i32::MAX, too_long(i32::MAX, 10_000)),
        (
            Limits::whole(100),
            i32::MAX,
            too_long(i32::MAX, i32::MAX as usize),
        ),
    ];
    for (limits, length, error) in cases {
        let bytes = [&b"Q"[..], &length.to_be_bytes(), b"SELECT"].concat();
        let read = all(in_pieces(vec![bytes.into()]), limits).await;
        assert_eq!(read, Err(error), "{length}");
    }
    for (length, error) in [
        (i32::MIN, negative(i32::MIN)),
        (3, negative(3)),
        (10_001, too_long(10_001, 10_000)),
    ] {
        let bytes = [&length.to_be_bytes()[..], &[0; 40]].concat();
        let mut from = in_pieces(vec![bytes.into()]);
        let read = Frames::new(Limits::STRANGER).next_untagged(&mut from).await;
        assert_eq!(read, Err(error), "{length}");
    }
}

/// A row of 256 MiB goes by in small pieces, and a statement of 64 MiB is skipped without being kept.
#[tokio::test]
async fn what_is_large_is_never_put_together() {
    const BODY: u64 = 256 * 1024 * 1024;
    let header = |tag: u8, body: u64| {
        let length = i32::try_from(body + 4).unwrap().to_be_bytes();
        std::io::Cursor::new([&[tag][..], &length].concat())
    };
    let row = header(b'D', BODY).chain(tokio::io::repeat(7).take(BODY));
    let query = header(b'Q', BODY / 4).chain(tokio::io::repeat(b'x').take(BODY / 4));
    let mut from = row.chain(query).chain(header(b'S', 0));
    let mut frames = Frames::new(Limits::whole(1024));

    let arrived = frames.next(&mut from).await.unwrap();
    assert!(matches!(arrived, Some(Arrived::Large(header)) if header.tag == b'D'));
    let (mut seen, mut longest) = (0, 0);
    while let Some(piece) = frames.piece(&mut from).await.unwrap() {
        seen += piece.len() as u64;
        longest = longest.max(piece.len());
    }
    assert_eq!(seen, BODY);
    assert!(longest <= 64 * 1024, "{longest}");

    let arrived = frames.next(&mut from).await.unwrap();
    assert!(matches!(arrived, Some(Arrived::Large(header)) if header.tag == b'Q'));
    frames.skip(&mut from).await.unwrap();
    let arrived = frames.next(&mut from).await.unwrap();
    assert!(matches!(arrived, Some(Arrived::Frame(frame)) if frame.tag == b'S'));
}

proptest! {
    /// Whatever comes, in whatever pieces: the same messages or the same error, and no panic.
    #[test]
    fn pieces_do_not_matter(
        bytes in prop::collection::vec(prop_oneof![Just(0_u8), 0..12_u8, any::<u8>()], 0..400),
        cuts in prop::collection::vec(0..400_usize, 0..8),
        whole in 5..64_usize,
    ) {
        let bytes = Bytes::from(bytes);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| bytes.slice(pair[0]..pair[1])).collect();
        let limits = Limits { whole, most: 300 };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let at_once = runtime.block_on(all(in_pieces(vec![bytes]), limits));
        let in_parts = runtime.block_on(all(in_pieces(pieces), limits));
        prop_assert_eq!(at_once, in_parts);
    }
}
