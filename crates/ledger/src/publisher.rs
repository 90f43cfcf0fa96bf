//! The thread that derives tiles from the journal, lays down the bodies that came with entries, and publishes
//! checkpoints.
//!
//! It reads only what is durable, so a published checkpoint can never be ahead of the log; and it reads
//! the journal itself, so that what it does while running and what it does after a crash is the same. A
//! full disk delays it; nothing is lost by that, since journal segments go only when their tiles are
//! durable.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use crate::{
    LedgerError, SignedCheckpoint,
    bodies::BodyStore,
    error::io_error,
    files::{Sync, parent_of, read_optional, replace, sync_directory, sync_file},
    frame::{Found, Frame},
    journal::{SEGMENT_HEADER_BYTES, Segment, Span, lock, segment_path},
    options::{FaultPoint, Options},
    state::Shared,
    tile_builder::{TileBuilder, TileFile},
    tiles::{TileReader, remove_partials},
};

/// How long to wait after a failed publication.
const RETRY: Duration = Duration::from_millis(250);
/// Files to gather before they are written.
const MAX_UNWRITTEN: usize = 64;

pub(crate) struct Publisher {
    options: Options,
    shared: Arc<Shared>,
    builder: TileBuilder,
    /// The segment being read; its `next` is the frame to read next.
    reading: Option<Segment>,
    /// Computed but not yet written.
    unwritten: Vec<TileFile>,
    /// Written but perhaps not yet on the disk.
    unsynced: BTreeSet<PathBuf>,
    bodies: Arc<BodyStore>,
    /// Whether bodies were laid down that are perhaps not yet on the disk.
    unsynced_bodies: bool,
    /// Up to this size files may be there already, from before a restart.
    recovering_until: u64,
    /// A failed sync cannot be trusted to be repeated, so from then on the journal is kept.
    keep_journal: bool,
}

impl Publisher {
    pub(crate) fn new(
        options: Options,
        shared: Arc<Shared>,
        bodies: Arc<BodyStore>,
        first_index: u64,
    ) -> Result<Self, LedgerError> {
        let stored = TileReader::new(&options.directory, first_index);
        let recovering_until = shared.progress().durable;
        Ok(Self {
            builder: TileBuilder::restore(first_index, &stored)?,
            options,
            shared,
            reading: None,
            unwritten: Vec::new(),
            unsynced: BTreeSet::new(),
            bodies,
            unsynced_bodies: false,
            recovering_until,
            keep_journal: false,
        })
    }

    /// Works until the writer is done and everything is published.
    pub(crate) fn run(mut self) {
        loop {
            self.shared.wait(None, |progress| {
                progress.is_behind() || progress.writer_done
            });
            let (behind, done) = {
                let progress = self.shared.progress();
                (progress.is_behind(), progress.writer_done)
            };
            if !behind {
                return;
            }
            let started = Instant::now();
            let failed = self.publish().is_err();
            if failed && done {
                return;
            }
            let pause = if failed {
                RETRY
            } else {
                self.options.publish_interval
            };
            self.shared
                .wait(Some(pause.saturating_sub(started.elapsed())), |progress| {
                    progress.writer_done
                });
        }
    }

    /// Publishes what is durable now, and notes how it went.
    pub(crate) fn publish(&mut self) -> Result<(), LedgerError> {
        let result = self.publish_durable();
        let error = result.as_ref().err().cloned();
        self.shared
            .update(|progress| progress.publish_error = error);
        result
    }

    fn publish_durable(&mut self) -> Result<(), LedgerError> {
        let (size, root) = {
            let progress = self.shared.progress();
            (progress.durable, progress.durable_root)
        };
        self.build_until(size)?;
        if self.builder.root() != root {
            return Err(LedgerError::Contradiction { size });
        }
        self.unwritten.extend(self.builder.partials());
        self.write_files()?;
        self.options.fault(FaultPoint::BeforeCheckpoint)?;
        let checkpoint = SignedCheckpoint::sign(&self.options.signer, size, root);
        let path = self.options.directory.join("checkpoint");
        replace(&path, checkpoint.note().as_bytes(), Sync::Now)?;
        self.shared
            .update(|progress| progress.published = Some(checkpoint));
        self.options.fault(FaultPoint::AfterCheckpoint)?;
        self.retire_segments(size)
    }

    /// Reads frames until the tree has `size` entries; the writer's frames end exactly there.
    fn build_until(&mut self, size: u64) -> Result<(), LedgerError> {
        while self.builder.size() < size {
            let Some(frame) = self.next_frame()? else {
                return Err(LedgerError::Truncated {
                    promised: size,
                    held: self.builder.size(),
                });
            };
            for body in &frame.bodies {
                self.bodies.lay_down(body)?;
                self.unsynced_bodies = true;
            }
            self.pass(&frame);
            for entry in &frame.entries {
                self.builder.push(entry, &mut self.unwritten);
            }
            if self.unwritten.len() >= MAX_UNWRITTEN {
                self.write_files()?;
            }
        }
        Ok(())
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, LedgerError> {
        let Some(span) = self.span_of(self.builder.size()) else {
            return Ok(None);
        };
        if self
            .reading
            .as_ref()
            .is_none_or(|segment| segment.number != span.number)
        {
            let journal = self.options.directory.join("journal");
            let mut segment = Segment::open(&journal, span.number)?;
            segment.next = SEGMENT_HEADER_BYTES;
            self.reading = Some(segment);
        }
        let Some(segment) = &mut self.reading else {
            return Ok(None);
        };
        match segment.frame_at(segment.next)? {
            Found::Frame(frame) if frame.first_index == self.builder.size() => Ok(Some(frame)),
            Found::Frame(_) | Found::Blank | Found::Torn => Ok(None),
        }
    }

    /// Goes on behind a frame. Not before its bodies lie there: else a failure would skip its entries.
    fn pass(&mut self, frame: &Frame) {
        if let Some(segment) = &mut self.reading {
            segment.next += frame.length;
        }
    }

    /// The segment that holds an entry.
    fn span_of(&self, index: u64) -> Option<Span> {
        let spans = lock(&self.shared.spans);
        spans
            .iter()
            .rev()
            .find(|span| span.first_index <= index)
            .copied()
    }

    fn write_files(&mut self) -> Result<(), LedgerError> {
        while let Some(file) = self.unwritten.last() {
            let path = self.options.directory.join(file.name.path());
            let recovering = self.builder.size() <= self.recovering_until;
            if !recovering || read_optional(&path)?.as_ref() != Some(&file.content) {
                replace(&path, &file.content, Sync::Later)?;
            }
            if file.name.is_full() {
                remove_partials(&self.options.directory, &file.name);
            }
            self.unsynced.insert(path);
            self.unwritten.pop();
        }
        Ok(())
    }

    /// Removes segments whose entries all lie in durable tiles under a durable checkpoint. The last one
    /// stays, since its last frame carries the signature that a restart checks.
    fn retire_segments(&mut self, published: u64) -> Result<(), LedgerError> {
        let retired = self.retirable(published);
        if retired.is_empty() || self.keep_journal {
            return Ok(());
        }
        if let Err(error) = self.sync_tiles() {
            self.keep_journal = true;
            return Err(error);
        }
        let journal = self.options.directory.join("journal");
        for span in &retired {
            let path = segment_path(&journal, span.number);
            fs::remove_file(&path).map_err(io_error("remove journal segment", &path))?;
            lock(&self.shared.spans).retain(|kept| kept.number != span.number);
        }
        sync_directory(&journal)
    }

    fn retirable(&self, published: u64) -> Vec<Span> {
        let spans = lock(&self.shared.spans);
        let with_next = spans.iter().zip(spans.iter().skip(1));
        with_next
            .filter(|(_, next)| next.first_index <= published)
            .map(|(span, _)| *span)
            .collect()
    }

    fn sync_tiles(&mut self) -> Result<(), LedgerError> {
        if self.unsynced_bodies {
            self.bodies.sync()?;
            self.unsynced_bodies = false;
        }
        let mut directories = BTreeSet::new();
        for path in &self.unsynced {
            sync_file(path)?;
            let above = path.ancestors().skip(1);
            directories.extend(
                above
                    .take_while(|directory| **directory != *parent_of(&self.options.directory))
                    .map(Path::to_owned),
            );
        }
        for directory in directories.iter().filter(|directory| directory.exists()) {
            sync_directory(directory)?;
        }
        self.unsynced.clear();
        Ok(())
    }
}
