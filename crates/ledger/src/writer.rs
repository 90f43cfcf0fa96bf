//! The one thread that appends. It takes what waits, writes it as one frame, makes it durable with one
//! `fdatasync`, and only then tells those who wait.
//!
//! Any error while writing or syncing ends it for good: after a failed sync nobody can say what is on
//! the disk, and asking the same descriptor again would be answered with a false yes.

use std::{
    collections::VecDeque,
    sync::{Arc, mpsc::SyncSender},
};

use crate::{
    LedgerError,
    frame::{FRAME_OVERHEAD_BYTES, body_bytes, encode, entry_bytes},
    journal::{Segment, SegmentPool, Span, lock},
    merkle::{Frontier, leaf_hash},
    options::{FaultPoint, Options},
    queue::{Appended, Class, Pending, Queue},
    state::Shared,
};

/// Bytes that become durable together at most, so that nobody waits long behind others.
const MAX_GROUP_BYTES: usize = 1 << 20;

pub(crate) struct Writer {
    pub(crate) options: Options,
    pub(crate) queue: Arc<Queue>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pool: Arc<SegmentPool>,
    pub(crate) frontier: Frontier,
    pub(crate) active: Segment,
    /// Asks for another segment to be pre-written.
    pub(crate) wake_preparer: SyncSender<()>,
}

/// Marks the writer as finished however its thread ends, a panic included.
struct Farewell {
    queue: Arc<Queue>,
    shared: Arc<Shared>,
}

impl Drop for Farewell {
    fn drop(&mut self) {
        self.queue
            .abandon(&LedgerError::WriterDead("its thread ended".to_owned()));
        self.shared.update(|progress| progress.writer_done = true);
    }
}

impl Writer {
    /// Works until the queue is closed, or an error makes further work unsafe.
    pub(crate) fn run(mut self) {
        let _farewell = Farewell {
            queue: Arc::clone(&self.queue),
            shared: Arc::clone(&self.shared),
        };
        while let Some(mut waiting) = self.queue.take(MAX_GROUP_BYTES) {
            if let Err(error) = self.append_all(&mut waiting) {
                let dead = LedgerError::WriterDead(error.to_string());
                self.queue.abandon(&dead);
                waiting
                    .into_iter()
                    .for_each(|pending| pending.refuse(dead.clone()));
                return;
            }
        }
    }

    fn append_all(&mut self, waiting: &mut VecDeque<Pending>) -> Result<(), LedgerError> {
        let disk_is_low = self.pool.disk_is_low();
        while !waiting.is_empty() {
            let group = self.admit(waiting, disk_is_low)?;
            if !group.is_empty() {
                self.commit(group)?;
            }
        }
        Ok(())
    }

    /// Takes from the front what fits in one frame of the active segment, and refuses what there is no
    /// room for.
    fn admit(
        &mut self,
        waiting: &mut VecDeque<Pending>,
        disk_is_low: bool,
    ) -> Result<Vec<Pending>, LedgerError> {
        let mut group = Vec::new();
        let mut bytes = FRAME_OVERHEAD_BYTES;
        while let Some(pending) = waiting.pop_front() {
            let body = pending.body.as_deref().map_or(0, body_bytes);
            let needed = bytes + entry_bytes(&pending.entry) + body;
            if let Err(full) = self.check_room(pending.class, needed, disk_is_low) {
                pending.refuse(full);
            } else if needed <= self.active.remaining() {
                bytes = needed;
                group.push(pending);
            } else if !group.is_empty() {
                waiting.push_front(pending);
                break;
            } else if self.roll()? {
                waiting.push_front(pending);
            } else {
                pending.refuse(LedgerError::LedgerFull("no pre-written room is left"));
            }
        }
        Ok(group)
    }

    /// Effects must leave the reserve alone; refusals may use it.
    fn check_room(&self, class: Class, needed: u64, disk_is_low: bool) -> Result<(), LedgerError> {
        if class == Class::Refusal {
            return Ok(());
        }
        if disk_is_low {
            return Err(LedgerError::LedgerFull(
                "the disk has less space than its reserve",
            ));
        }
        let wanted = needed + self.options.refusal_reserve_bytes;
        if self.pre_written_bytes() < wanted {
            self.pool.prepare()?;
        }
        if self.pre_written_bytes() < wanted {
            return Err(LedgerError::LedgerFull(
                "only the room kept for refusals is left",
            ));
        }
        Ok(())
    }

    fn pre_written_bytes(&self) -> u64 {
        self.active.remaining() + self.pool.ready_bytes()
    }

    /// Goes on to the next pre-written segment, if there is one or one can be made.
    fn roll(&mut self) -> Result<bool, LedgerError> {
        let next = match self.pool.take() {
            Some(next) => Some(next),
            None => self.pool.prepare().ok().and_then(|()| self.pool.take()),
        };
        let Some(next) = next else { return Ok(false) };
        // Frames follow in the next segment, so this one must be known to be complete.
        self.active.sync()?;
        self.active = next;
        // A full channel means that the preparer has been asked already.
        let _ = self.wake_preparer.try_send(());
        Ok(true)
    }

    /// Makes a group durable, then acknowledges it.
    fn commit(&mut self, group: Vec<Pending>) -> Result<(), LedgerError> {
        match self.make_durable(&group) {
            Ok(first_index) => {
                self.acknowledge(first_index, group);
                Ok(())
            }
            Err(error) => {
                let dead = LedgerError::WriterDead(error.to_string());
                self.queue.close(dead.clone());
                group
                    .into_iter()
                    .for_each(|pending| pending.refuse(dead.clone()));
                Err(error)
            }
        }
    }

    /// Writes and syncs a group; gives the index of its first entry.
    fn make_durable(&mut self, group: &[Pending]) -> Result<u64, LedgerError> {
        let first_index = self.frontier.size();
        let entries: Vec<&[u8]> = group
            .iter()
            .map(|pending| pending.entry.as_slice())
            .collect();
        entries
            .iter()
            .for_each(|entry| self.frontier.push(leaf_hash(entry)));
        let root = self.frontier.root();
        let bodies: Vec<&[u8]> = group
            .iter()
            .filter_map(|pending| pending.body.as_deref())
            .collect();
        let signer = &self.options.signer;
        let frame = encode(signer, first_index, (&entries, &bodies), &root);
        self.note_span(first_index);
        self.options.fault(FaultPoint::BeforeJournalWrite)?;
        self.active.write(&frame)?;
        self.options
            .fault(FaultPoint::AfterJournalWriteBeforeSync)?;
        self.active.sync()?;
        self.options.fault(FaultPoint::AfterSyncBeforeAck)?;
        let durable = self.frontier.size();
        self.shared.update(|progress| {
            progress.durable = durable;
            progress.durable_root = root;
        });
        Ok(first_index)
    }

    fn note_span(&self, first_index: u64) {
        let number = self.active.number;
        let mut spans = lock(&self.shared.spans);
        if spans.last().is_none_or(|span| span.number != number) {
            spans.push(Span {
                number,
                first_index,
            });
        }
    }

    fn acknowledge(&self, first_index: u64, group: Vec<Pending>) {
        let tree_size = self.frontier.size();
        for (index, pending) in (first_index..).zip(group) {
            // Whoever asked may have gone away; the entry is recorded all the same.
            let _ = pending.reply.send(Ok(Appended { index, tree_size }));
        }
    }
}
