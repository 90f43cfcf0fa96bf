//! Reading entries back in order, while the log grows.

use std::{collections::VecDeque, io, ops::Range, path::PathBuf, sync::Arc};

use crate::{
    LedgerError,
    frame::Found,
    journal::{SEGMENT_HEADER_BYTES, Segment, lock},
    state::Shared,
    tiles::{TILE_WIDTH, TileReader},
};

/// An iterator over entries with their indices. It ends after the first error.
pub struct Entries {
    directory: PathBuf,
    shared: Arc<Shared>,
    next: u64,
    end: u64,
    /// Read ahead: the entries from `next` on.
    ahead: VecDeque<Vec<u8>>,
    /// The journal segment being read and the index of its next frame.
    segment: Option<Segment>,
}

impl Entries {
    pub(crate) fn new(directory: PathBuf, shared: Arc<Shared>, range: Range<u64>) -> Self {
        let (next, end) = (range.start, range.end);
        Self {
            directory,
            shared,
            next,
            end,
            ahead: VecDeque::new(),
            segment: None,
        }
    }

    fn read_ahead(&mut self) -> Result<(), LedgerError> {
        let published = self.shared.progress().published_size();
        if self.next < published {
            return self.read_bundle(published);
        }
        match self.read_journal() {
            // The segment went because its entries have just been published.
            Err(LedgerError::Io {
                kind: io::ErrorKind::NotFound,
                ..
            }) => {
                let published = self.shared.progress().published_size();
                self.read_bundle(published)
            }
            other => other,
        }
    }

    fn read_bundle(&mut self, published: u64) -> Result<(), LedgerError> {
        let reader = TileReader::new(&self.directory, published);
        let entries = reader.bundle(self.next / TILE_WIDTH)?;
        let skip = usize::try_from(self.next % TILE_WIDTH).unwrap_or(0);
        self.ahead = entries.into_iter().skip(skip).collect();
        Ok(())
    }

    /// Reads the frame that holds the next entry.
    fn read_journal(&mut self) -> Result<(), LedgerError> {
        self.find_segment()?;
        let held = self.next;
        let Some(segment) = &mut self.segment else {
            return Err(LedgerError::OutOfRange {
                asked: held,
                size: held,
            });
        };
        while let Found::Frame(frame) = segment.frame_at(segment.next)? {
            segment.next += frame.length;
            if frame.end() > held {
                let skip = usize::try_from(held.saturating_sub(frame.first_index)).unwrap_or(0);
                self.ahead = frame.entries.into_iter().skip(skip).collect();
                return Ok(());
            }
        }
        let (number, offset) = (segment.number, segment.next);
        let what = "an entry that was durable is gone";
        Err(LedgerError::JournalDamaged {
            segment: number,
            offset,
            what,
        })
    }

    fn find_segment(&mut self) -> Result<(), LedgerError> {
        let spans = lock(&self.shared.spans);
        let span = spans
            .iter()
            .rev()
            .find(|span| span.first_index <= self.next)
            .copied();
        drop(spans);
        let Some(span) = span else { return Ok(()) };
        if self
            .segment
            .as_ref()
            .is_none_or(|segment| segment.number != span.number)
        {
            let mut segment = Segment::open(&self.directory.join("journal"), span.number)?;
            segment.next = SEGMENT_HEADER_BYTES;
            self.segment = Some(segment);
        }
        Ok(())
    }
}

impl Iterator for Entries {
    type Item = Result<(u64, Vec<u8>), LedgerError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        if self.ahead.is_empty()
            && let Err(error) = self.read_ahead()
        {
            self.end = self.next;
            return Some(Err(error));
        }
        let index = self.next;
        self.next += 1;
        let entry = self.ahead.pop_front();
        Some(
            entry
                .map(|entry| (index, entry))
                .ok_or(LedgerError::OutOfRange {
                    asked: index,
                    size: index,
                }),
        )
    }
}
