//! What happens when a ledger is opened: the journal is read, checked against itself, the tiles and the
//! published checkpoint, and its torn tail is cut.
//!
//! Nothing on the disk is changed before all checks have passed, so that a log that is refused can still
//! be examined as it was found.

use std::{collections::VecDeque, fs, path::Path};

use crate::{
    LedgerError, SignedCheckpoint,
    error::io_error,
    files::read_optional,
    frame::{self, Found, Frame},
    journal::{SEGMENT_HEADER_BYTES, Segment, Span, list},
    merkle::{Frontier, TreeHash},
    note::NoteVerifier,
    proofs::range_root,
    tiles::{TileReader, malformed},
};

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// Entries in the log.
    pub size: u64,
    /// The first entry that was not covered by the published checkpoint.
    pub unpublished_from: u64,
    /// Bytes of an unfinished write that were cut. Nothing in them had been acknowledged.
    pub cut_bytes: u64,
}

/// The journal, read and checked.
pub(crate) struct Recovered {
    pub(crate) report: Recovery,
    pub(crate) frontier: Frontier,
    pub(crate) spans: Vec<Span>,
    pub(crate) active: Segment,
    pub(crate) spares: VecDeque<Segment>,
    /// Index of the first entry that the journal still holds.
    pub(crate) first_index: u64,
    pub(crate) published: Option<SignedCheckpoint>,
}

/// Everything learned while reading frames in order.
struct Replay<'v> {
    verifier: &'v NoteVerifier,
    frontier: Frontier,
    first_index: u64,
    spans: Vec<Span>,
    last_frame: Option<Frame>,
    /// Roots at the sizes that a checkpoint speaks of.
    wanted: Vec<(u64, Option<TreeHash>)>,
    published_size: u64,
    /// Segment and offset of the first frame that the checkpoint does not cover.
    unpublished: Option<(u64, u64)>,
    torn: Option<Torn>,
}

struct Torn {
    segment: u64,
    bytes: u64,
}

/// Opens the journal below `directory`, creating it when the log is new.
pub(crate) fn recover(
    directory: &Path,
    verifier: &NoteVerifier,
    segment_bytes: u64,
    must_extend: Option<&SignedCheckpoint>,
) -> Result<Recovered, LedgerError> {
    let journal = directory.join("journal");
    fs::create_dir_all(&journal).map_err(io_error("create directory", &journal))?;
    let published = read_checkpoint(directory, verifier)?;
    let checkpoints: Vec<_> = published.iter().chain(must_extend).collect();
    let segments = open_segments(&journal)?;
    if segments.is_empty() && checkpoints.iter().all(|checkpoint| checkpoint.size() == 0) {
        return fresh(&journal, segment_bytes, published);
    }
    let mut replay = Replay::start(
        directory,
        verifier,
        &segments,
        (published.as_ref(), &checkpoints),
    )?;
    for segment in &segments {
        replay.read_segment(segment)?;
    }
    replay.check_end()?;
    replay.check_checkpoints(directory, &checkpoints, published.is_some())?;
    replay.finish(segments, published)
}

fn fresh(
    journal: &Path,
    segment_bytes: u64,
    published: Option<SignedCheckpoint>,
) -> Result<Recovered, LedgerError> {
    Ok(Recovered {
        report: Recovery {
            size: 0,
            unpublished_from: 0,
            cut_bytes: 0,
        },
        frontier: Frontier::default(),
        spans: Vec::new(),
        active: Segment::create(journal, 0, segment_bytes)?,
        spares: VecDeque::new(),
        first_index: 0,
        published,
    })
}

/// The published checkpoint of a log, if there is one.
pub(crate) fn read_checkpoint(
    directory: &Path,
    verifier: &NoteVerifier,
) -> Result<Option<SignedCheckpoint>, LedgerError> {
    let path = directory.join("checkpoint");
    let Some(bytes) = read_optional(&path)? else {
        return Ok(None);
    };
    let note = String::from_utf8(bytes).map_err(|_| malformed(&path, "it is not UTF-8"))?;
    SignedCheckpoint::open(&note, verifier).map(Some)
}

fn open_segments(journal: &Path) -> Result<Vec<Segment>, LedgerError> {
    list(journal)?
        .into_iter()
        .map(|number| Segment::open(journal, number))
        .collect()
}

impl<'v> Replay<'v> {
    fn start(
        directory: &Path,
        verifier: &'v NoteVerifier,
        segments: &[Segment],
        (published, checkpoints): (Option<&SignedCheckpoint>, &[&SignedCheckpoint]),
    ) -> Result<Self, LedgerError> {
        let first_frame = segments.first().map(first_frame).transpose()?;
        let first_index = first_frame.flatten().unwrap_or(0);
        let frontier = Frontier::restore(first_index, &TileReader::new(directory, first_index))?;
        let mut replay = Self {
            verifier,
            frontier,
            first_index,
            spans: Vec::new(),
            last_frame: None,
            wanted: checkpoints
                .iter()
                .map(|checkpoint| (checkpoint.size(), None))
                .collect(),
            published_size: published.map_or(0, SignedCheckpoint::size),
            unpublished: None,
            torn: None,
        };
        replay.note_root();
        Ok(replay)
    }

    fn read_segment(&mut self, segment: &Segment) -> Result<(), LedgerError> {
        let content = segment.content()?;
        let mut at = 0;
        loop {
            let rest = content.get(at..).unwrap_or_default();
            match frame::decode(rest) {
                Found::Frame(frame) if self.torn.is_none() => {
                    at += usize::try_from(frame.length).unwrap_or(rest.len());
                    self.accept(segment, frame, at)?;
                }
                Found::Blank => return Ok(()),
                Found::Frame(_) | Found::Torn => return self.tear(segment, at, rest),
            }
        }
    }

    /// Takes over an intact frame; `end` is where it ends in the segment's content.
    fn accept(&mut self, segment: &Segment, frame: Frame, end: usize) -> Result<(), LedgerError> {
        let offset = SEGMENT_HEADER_BYTES + end as u64 - frame.length;
        if frame.first_index != self.frontier.size() {
            let what = "a frame does not continue the one before it";
            return Err(LedgerError::JournalDamaged {
                segment: segment.number,
                offset,
                what,
            });
        }
        if self
            .spans
            .last()
            .is_none_or(|span| span.number != segment.number)
        {
            self.spans.push(Span {
                number: segment.number,
                first_index: frame.first_index,
            });
        }
        if frame.end() > self.published_size && self.unpublished.is_none() {
            self.unpublished = Some((segment.number, offset));
        }
        for entry in &frame.entries {
            self.frontier.push(crate::merkle::leaf_hash(entry));
            self.note_root();
        }
        self.last_frame = Some(frame);
        Ok(())
    }

    /// Remembers the root if a checkpoint speaks of the present size.
    fn note_root(&mut self) {
        let size = self.frontier.size();
        for (_, root) in self.wanted.iter_mut().filter(|(wanted, _)| *wanted == size) {
            *root = Some(self.frontier.root());
        }
    }

    /// An unfinished write is the last thing in a journal. If the log's key signed anything after it,
    /// it is damage and not a tear.
    fn tear(&mut self, segment: &Segment, at: usize, rest: &[u8]) -> Result<(), LedgerError> {
        let offset = SEGMENT_HEADER_BYTES + at as u64;
        let second = self.torn.is_some();
        if second || frame::holds_later_frame(rest, self.frontier.size(), self.verifier) {
            let what = "it is no intact frame, but frames follow";
            return Err(LedgerError::JournalDamaged {
                segment: segment.number,
                offset,
                what,
            });
        }
        let bytes = rest
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last as u64 + 1);
        self.torn = Some(Torn {
            segment: segment.number,
            bytes,
        });
        Ok(())
    }

    /// The signature of the last frame covers the root, and so every entry.
    fn check_end(&self) -> Result<(), LedgerError> {
        let Some(frame) = &self.last_frame else {
            return Ok(());
        };
        if frame.root == self.frontier.root() && frame.is_signed_by(self.verifier) {
            return Ok(());
        }
        Err(LedgerError::Contradiction {
            size: self.frontier.size(),
        })
    }

    fn check_checkpoints(
        &self,
        directory: &Path,
        checkpoints: &[&SignedCheckpoint],
        published: bool,
    ) -> Result<(), LedgerError> {
        let held = self.frontier.size();
        if !published && held > 0 {
            return Err(LedgerError::CheckpointMissing { size: held });
        }
        for (checkpoint, (size, noted)) in checkpoints.iter().zip(&self.wanted) {
            if *size > held {
                return Err(LedgerError::Truncated {
                    promised: *size,
                    held,
                });
            }
            let root = match noted {
                Some(root) => *root,
                None => range_root(&TileReader::new(directory, self.first_index), 0, *size)?,
            };
            if root != *checkpoint.root() {
                return Err(LedgerError::Contradiction { size: *size });
            }
        }
        Ok(())
    }

    /// Cuts what was torn, makes what was read durable, and sorts the segments.
    fn finish(
        self,
        segments: Vec<Segment>,
        published: Option<SignedCheckpoint>,
    ) -> Result<Recovered, LedgerError> {
        let active_number = self.spans.last().map(|span| span.number);
        let mut active = None;
        let mut spares = VecDeque::new();
        for mut segment in segments {
            self.settle(&mut segment)?;
            match active_number {
                Some(number) if segment.number < number => {}
                Some(number) if segment.number > number => spares.push_back(segment),
                _ if active.is_some() => spares.push_back(segment),
                _ => active = Some(segment),
            }
        }
        let size = self.frontier.size();
        let active = active.ok_or(LedgerError::Truncated {
            promised: self.published_size,
            held: 0,
        })?;
        let cut_bytes = self.torn.map_or(0, |torn| torn.bytes);
        let unpublished_from = self.published_size.min(size);
        Ok(Recovered {
            report: Recovery {
                size,
                unpublished_from,
                cut_bytes,
            },
            frontier: self.frontier,
            spans: self.spans,
            active,
            spares,
            first_index: self.first_index,
            published,
        })
    }

    fn settle(&self, segment: &mut Segment) -> Result<(), LedgerError> {
        while let Found::Frame(frame) = segment.frame_at(segment.next)? {
            segment.next += frame.length;
        }
        if self
            .torn
            .as_ref()
            .is_some_and(|torn| torn.segment == segment.number)
        {
            segment.cut_tail()?;
        }
        match self.unpublished {
            Some((number, offset)) if number == segment.number => segment.write_again(offset),
            Some((number, _)) if number < segment.number && segment.next > SEGMENT_HEADER_BYTES => {
                segment.write_again(SEGMENT_HEADER_BYTES)
            }
            _ => Ok(()),
        }
    }
}

/// The index of the first entry in a segment, or `None` when it holds no frame.
fn first_frame(segment: &Segment) -> Result<Option<u64>, LedgerError> {
    Ok(match segment.frame_at(SEGMENT_HEADER_BYTES)? {
        Found::Frame(frame) => Some(frame.first_index),
        Found::Blank | Found::Torn => None,
    })
}
