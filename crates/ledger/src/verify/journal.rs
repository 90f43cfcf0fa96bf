//! The journal's part of a verification: its frames follow each other, say the same as the tiles, reach
//! at least as far as the checkpoint, and end in a root that the log's key signed.

use std::{io, path::Path};

use super::{Problem, Verification, Warning};
use crate::{
    LedgerError, SignedCheckpoint,
    frame::{Found, Frame, decode, holds_later_frame},
    journal::{SEGMENT_HEADER_BYTES, Segment, list},
    note::NoteVerifier,
    tiles::TILE_WIDTH,
};

/// How often a journal that looks damaged is read again.
const REPEATED_READINGS: usize = 3;

/// Reading the journal in order.
struct Walk<'v> {
    verifier: &'v NoteVerifier,
    /// The next index; `None` before the first frame.
    next: Option<u64>,
    last: Option<Frame>,
    unfinished_bytes: u64,
    /// The bundle read last, so that it is not read again for each entry.
    bundle: (u64, Vec<Vec<u8>>),
}

pub(super) fn check(
    verification: &mut Verification<'_>,
    verifier: &NoteVerifier,
    checkpoint: &SignedCheckpoint,
) {
    let journal = verification.directory.join("journal");
    if !journal.exists() {
        verification.report.warnings.push(Warning::NoJournal);
        return;
    }
    let mut walk = Walk::new(verifier);
    let mut result = walk.check(&journal, verification, checkpoint);
    // A gateway that appends meanwhile can make one reading look torn; damage looks so every time.
    for _ in 0..REPEATED_READINGS {
        if result.is_ok() {
            break;
        }
        walk = Walk::new(verifier);
        result = walk.check(&journal, verification, checkpoint);
    }
    if let Err(error) = result {
        verification.report.problems.push(Problem::Journal(error));
    } else if walk.unfinished_bytes > 0 {
        let bytes = walk.unfinished_bytes;
        verification
            .report
            .warnings
            .push(Warning::UnfinishedWrite { bytes });
    }
    let end = walk.next.unwrap_or(0);
    verification.report.unpublished = end.saturating_sub(checkpoint.size());
}

impl<'v> Walk<'v> {
    const fn new(verifier: &'v NoteVerifier) -> Self {
        let bundle = (u64::MAX, Vec::new());
        Self {
            verifier,
            next: None,
            last: None,
            unfinished_bytes: 0,
            bundle,
        }
    }

    fn check(
        &mut self,
        journal: &Path,
        verification: &mut Verification<'_>,
        checkpoint: &SignedCheckpoint,
    ) -> Result<(), LedgerError> {
        self.read(journal, verification)?;
        let held = self.next.unwrap_or(0);
        if held < checkpoint.size() {
            return Err(LedgerError::Truncated {
                promised: checkpoint.size(),
                held,
            });
        }
        self.check_last(verification)
    }

    fn read(
        &mut self,
        journal: &Path,
        verification: &mut Verification<'_>,
    ) -> Result<(), LedgerError> {
        for number in list(journal)? {
            match Segment::open(journal, number) {
                Ok(segment) => self.read_segment(&segment, verification)?,
                // A running gateway has just retired it; the tiles hold its entries.
                Err(LedgerError::Io {
                    kind: io::ErrorKind::NotFound,
                    ..
                }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn read_segment(
        &mut self,
        segment: &Segment,
        verification: &mut Verification<'_>,
    ) -> Result<(), LedgerError> {
        let content = segment.content()?;
        let mut rest = content.as_slice();
        loop {
            let offset = SEGMENT_HEADER_BYTES + (content.len() - rest.len()) as u64;
            let damaged = |what| {
                Err(LedgerError::JournalDamaged {
                    segment: segment.number,
                    offset,
                    what,
                })
            };
            match decode(rest) {
                Found::Blank => return Ok(()),
                Found::Frame(_) | Found::Torn if self.unfinished_bytes > 0 => {
                    return damaged("something follows an unfinished write");
                }
                Found::Frame(frame) if self.next.is_some_and(|next| next != frame.first_index) => {
                    return damaged("a frame does not continue the one before it");
                }
                Found::Frame(frame) => {
                    let length = usize::try_from(frame.length).unwrap_or(rest.len());
                    rest = rest.get(length..).unwrap_or_default();
                    self.compare(frame, verification);
                }
                Found::Torn if holds_later_frame(rest, self.next.unwrap_or(0), self.verifier) => {
                    return damaged("it is no intact frame, but frames follow");
                }
                Found::Torn => {
                    let end = rest.iter().rposition(|&byte| byte != 0);
                    self.unfinished_bytes = end.map_or(0, |last| last as u64 + 1);
                    return Ok(());
                }
            }
        }
    }

    /// Compares a frame with the tiles, as far as they go, and continues the tree with the rest.
    fn compare(&mut self, frame: Frame, verification: &mut Verification<'_>) {
        let published = verification.report.entries;
        for (index, entry) in (frame.first_index..).zip(&frame.entries) {
            if index >= published {
                if index == verification.builder.size() {
                    verification.builder.push(entry, &mut Vec::new());
                }
            } else if self.published_entry(index, verification) != Some(entry) {
                verification
                    .report
                    .problems
                    .push(Problem::JournalDisagrees(index));
            }
        }
        self.next = Some(frame.end());
        self.last = Some(frame);
    }

    fn published_entry(&mut self, index: u64, verification: &Verification<'_>) -> Option<&Vec<u8>> {
        let bundle = index / TILE_WIDTH;
        if self.bundle.0 != bundle {
            self.bundle = (bundle, verification.tiles.bundle(bundle).ok()?);
        }
        self.bundle.1.get(usize::try_from(index % TILE_WIDTH).ok()?)
    }

    /// The last frame's signature covers every entry before it.
    fn check_last(&self, verification: &Verification<'_>) -> Result<(), LedgerError> {
        let Some(frame) = &self.last else {
            return Ok(());
        };
        let continues = frame.end() == verification.builder.size();
        let right_root = !continues || frame.root == verification.builder.root();
        if right_root && frame.is_signed_by(self.verifier) {
            return Ok(());
        }
        Err(LedgerError::Contradiction { size: frame.end() })
    }
}
