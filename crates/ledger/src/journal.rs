//! The journal on disk: numbered segments of fixed size, filled with zeros and synced before they are
//! used, so that an append changes no file metadata and one `fdatasync` makes it durable.
//!
//! A segment begins with a header that states its size. A file that is shorter than it says was cut by
//! somebody and is refused; only zeros after the last frame mean "not written yet".

use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::FileExt as _,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crate::{
    LedgerError,
    error::io_error,
    files::sync_directory,
    frame::{self, Found},
};

const MAGIC: [u8; 8] = *b"TAGOUTJ1";
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 32;
/// The smallest segment that can hold the largest entry.
pub(crate) const MIN_SEGMENT_BYTES: u64 = 128 * 1024;

/// Takes a lock; a thread that panicked while holding it left plain values behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One open segment.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) number: u64,
    pub(crate) size: u64,
    /// Where the next frame goes.
    pub(crate) next: u64,
    pub(crate) path: PathBuf,
    file: File,
}

impl Segment {
    /// Creates a segment full of zeros. It appears under its name only when it is durable.
    pub(crate) fn create(directory: &Path, number: u64, size: u64) -> Result<Self, LedgerError> {
        let path = segment_path(directory, number);
        let temporary = path.with_extension("new");
        if let Err(error) = write_blank(&temporary, number, size) {
            // What was written so far only takes up the room that is missing.
            let _ = fs::remove_file(&temporary);
            return Err(io_error("pre-write journal segment", &temporary)(error));
        }
        fs::rename(&temporary, &path).map_err(io_error("rename into", &path))?;
        sync_directory(directory)?;
        Self::open(directory, number)
    }

    /// Opens a segment and checks that it is as long as it says.
    pub(crate) fn open(directory: &Path, number: u64) -> Result<Self, LedgerError> {
        let path = segment_path(directory, number);
        let file = File::options()
            .read(true)
            .write(true)
            .open(&path)
            .map_err(io_error("open journal segment", &path))?;
        let size = check_header(&file, number, &path)?;
        Ok(Self {
            number,
            size,
            next: SEGMENT_HEADER_BYTES,
            path,
            file,
        })
    }

    pub(crate) const fn remaining(&self) -> u64 {
        self.size.saturating_sub(self.next)
    }

    /// Writes a frame after the last one. Not durable before [`Segment::sync`].
    pub(crate) fn write(&mut self, frame: &[u8]) -> Result<(), LedgerError> {
        self.file
            .write_all_at(frame, self.next)
            .map_err(io_error("write journal segment", &self.path))?;
        self.next += frame.len() as u64;
        Ok(())
    }

    /// Makes everything written durable. An error is final: the kernel may have dropped the pages, and
    /// a second call on the same descriptor would claim success.
    pub(crate) fn sync(&self) -> Result<(), LedgerError> {
        self.file
            .sync_data()
            .map_err(io_error("sync journal segment", &self.path))
    }

    /// Everything after the header.
    pub(crate) fn content(&self) -> Result<Vec<u8>, LedgerError> {
        let length = usize::try_from(self.size - SEGMENT_HEADER_BYTES).unwrap_or(0);
        let mut content = vec![0; length];
        self.file
            .read_exact_at(&mut content, SEGMENT_HEADER_BYTES)
            .map_err(io_error("read journal segment", &self.path))?;
        Ok(content)
    }

    /// The frame at an offset, read without loading the segment.
    pub(crate) fn frame_at(&self, offset: u64) -> Result<Found, LedgerError> {
        let mut bytes = vec![0; frame::HEADER_BYTES];
        if offset + frame::FRAME_OVERHEAD_BYTES > self.size {
            return Ok(Found::Blank);
        }
        let io = |error| io_error("read journal segment", &self.path)(error);
        self.file.read_exact_at(&mut bytes, offset).map_err(io)?;
        let Some(length) = frame::length_in_header(&bytes) else {
            return Ok(frame::decode(&bytes));
        };
        if offset + length > self.size {
            return Ok(Found::Torn);
        }
        bytes.resize(usize::try_from(length).unwrap_or(frame::HEADER_BYTES), 0);
        let io = |error| io_error("read journal segment", &self.path)(error);
        self.file.read_exact_at(&mut bytes, offset).map_err(io)?;
        Ok(frame::decode(&bytes))
    }

    /// Fills the rest of the segment, from the next frame on, with zeros again.
    pub(crate) fn cut_tail(&self) -> Result<(), LedgerError> {
        let zeros = vec![0; usize::try_from(self.remaining()).unwrap_or(0)];
        self.file
            .write_all_at(&zeros, self.next)
            .map_err(io_error("cut journal segment", &self.path))?;
        self.sync()
    }

    /// Writes what was read once more, and syncs it. After a crash the page cache may hold frames that
    /// a failed sync never brought to the disk, and which count as clean.
    pub(crate) fn write_again(&self, from: u64) -> Result<(), LedgerError> {
        let mut bytes = vec![0; usize::try_from(self.next.saturating_sub(from)).unwrap_or(0)];
        self.file
            .read_exact_at(&mut bytes, from)
            .and_then(|()| self.file.write_all_at(&bytes, from))
            .map_err(io_error("rewrite journal segment", &self.path))?;
        self.sync()
    }
}

fn write_blank(path: &Path, number: u64, size: u64) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(&header(number, size))?;
    let zeros = vec![0; 64 * 1024];
    let mut left = size - SEGMENT_HEADER_BYTES;
    while left > 0 {
        let chunk = usize::try_from(left).unwrap_or(usize::MAX).min(zeros.len());
        file.write_all(zeros.get(..chunk).unwrap_or_default())?;
        left -= chunk as u64;
    }
    file.sync_all()
}

fn header(number: u64, size: u64) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    header.extend_from_slice(&number.to_be_bytes());
    header.extend_from_slice(&size.to_be_bytes());
    let crc = u64::from(crc32fast::hash(&header));
    header.extend_from_slice(&crc.to_be_bytes());
    header
}

/// Checks header and length; gives the size.
fn check_header(file: &File, number: u64, path: &Path) -> Result<u64, LedgerError> {
    let length = file.metadata().map_err(io_error("inspect", path))?.len();
    let damaged = |what| LedgerError::JournalDamaged {
        segment: number,
        offset: 0,
        what,
    };
    if length < MIN_SEGMENT_BYTES {
        return Err(damaged("the file is shorter than any segment"));
    }
    let mut found = [0; 32];
    file.read_exact_at(&mut found, 0)
        .map_err(io_error("read", path))?;
    if found.as_slice() != header(number, length) {
        return Err(damaged(
            "the header does not fit the number and length of the file",
        ));
    }
    Ok(length)
}

pub(crate) fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:010}.seg"))
}

/// The numbers of the segments in a directory, ascending.
///
/// A gap means that somebody removed one.
pub(crate) fn list(directory: &Path) -> Result<Vec<u64>, LedgerError> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(directory).map_err(io_error("list", directory))? {
        let name = file.map_err(io_error("list", directory))?.file_name();
        let number: Option<u64> = name
            .to_str()
            .and_then(|name| name.strip_suffix(".seg")?.parse().ok());
        numbers.extend(number);
    }
    numbers.sort_unstable();
    for (&before, &after) in numbers.iter().zip(numbers.iter().skip(1)) {
        if after != before + 1 {
            let what = "the segment before it is missing";
            return Err(LedgerError::JournalDamaged {
                segment: after,
                offset: 0,
                what,
            });
        }
    }
    Ok(numbers)
}

/// Which entries a segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) number: u64,
    pub(crate) first_index: u64,
}

/// Answers how many bytes are free on the file system that holds a directory.
pub type DiskProbe = Arc<dyn Fn(&Path) -> io::Result<u64> + Send + Sync>;

/// Asks the operating system (`statvfs`): the bytes that an unprivileged process may still use.
#[must_use]
pub fn system_disk_probe() -> DiskProbe {
    Arc::new(|directory| {
        let stat = rustix::fs::statvfs(directory)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    })
}

/// Segments that are pre-written and wait to be used.
pub(crate) struct SegmentPool {
    pub(crate) directory: PathBuf,
    pub(crate) segment_bytes: u64,
    /// Never taken for journal segments: room for tiles, bodies and the store.
    pub(crate) disk_reserve_bytes: u64,
    pub(crate) probe: DiskProbe,
    ready: Mutex<VecDeque<Segment>>,
    /// Held while a segment is pre-written, so that the writer never waits for the other lock.
    next_number: Mutex<u64>,
}

impl SegmentPool {
    pub(crate) fn new(
        (directory, segment_bytes): (PathBuf, u64),
        (probe, disk_reserve_bytes): (DiskProbe, u64),
        segments: VecDeque<Segment>,
        next_number: u64,
    ) -> Self {
        let (ready, next_number) = (Mutex::new(segments), Mutex::new(next_number));
        Self {
            directory,
            segment_bytes,
            disk_reserve_bytes,
            probe,
            ready,
            next_number,
        }
    }

    /// Pre-written bytes that wait.
    pub(crate) fn ready_bytes(&self) -> u64 {
        lock(&self.ready).iter().map(Segment::remaining).sum()
    }

    pub(crate) fn take(&self) -> Option<Segment> {
        lock(&self.ready).pop_front()
    }

    /// Whether the disk has less than the reserve. What cannot be known counts as low.
    pub(crate) fn disk_is_low(&self) -> bool {
        self.available_bytes() < self.disk_reserve_bytes
    }

    pub(crate) fn available_bytes(&self) -> u64 {
        (self.probe)(&self.directory).unwrap_or(0)
    }

    /// Pre-writes a segment if none waits and the disk has room beyond the reserve.
    pub(crate) fn prepare(&self) -> Result<(), LedgerError> {
        let mut next_number = lock(&self.next_number);
        if !lock(&self.ready).is_empty() {
            return Ok(());
        }
        if self.available_bytes() < self.disk_reserve_bytes.saturating_add(self.segment_bytes) {
            return Err(LedgerError::LedgerFull(
                "no disk space for another journal segment",
            ));
        }
        let segment = Segment::create(&self.directory, *next_number, self.segment_bytes)?;
        *next_number += 1;
        lock(&self.ready).push_back(segment);
        Ok(())
    }
}
