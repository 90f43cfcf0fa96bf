//! The journal's unit of writing: one frame per group of entries that became durable together.
//!
//! ```text
//! "TGJ1"  body length u32  first index u64  count u32  CRC-32 u32      (24 bytes, big endian)
//! body:   count × (length u16, entry)   root (32 bytes)   signature (64 bytes)
//! ```
//! A frame that begins with `TGJ2` carries bodies that its entries name, so that one sync makes both durable;
//! in front of its entries stands
//! ```text
//! bodies length u32   bodies: any number of × (length u32, body)
//! ```
//! The CRC finds torn writes. The signature, over the root after the frame, finds edits: whoever does
//! not hold the log's key cannot add, change or remove journal entries unnoticed. What is signed begins
//! with a zero byte, which notes may not contain, so that a frame that was torn and cut away can never
//! pass for a checkpoint.

use crate::{
    merkle::TreeHash,
    note::{NoteSigner, NoteVerifier},
    tiles::{append_to_bundle, split_bundle},
};

const MAGIC: [u8; 4] = *b"TGJ1";
const MAGIC_WITH_BODIES: [u8; 4] = *b"TGJ2";
pub(crate) const HEADER_BYTES: usize = 24;
const TRAILER_BYTES: usize = 32 + 64;
const DOMAIN: &[u8] = b"\0tagout/ledger/journal/v1\0";

/// Bytes that a frame takes beside its entries and bodies.
pub(crate) const FRAME_OVERHEAD_BYTES: u64 = (HEADER_BYTES + TRAILER_BYTES + 4) as u64;

/// Bytes that one entry takes in a frame.
pub(crate) const fn entry_bytes(entry: &[u8]) -> u64 {
    entry.len() as u64 + 2
}

/// Bytes that one body takes in a frame.
pub(crate) const fn body_bytes(body: &[u8]) -> u64 {
    body.len() as u64 + 4
}

/// A frame as read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) first_index: u64,
    pub(crate) entries: Vec<Vec<u8>>,
    /// Bodies that the entries name. Nothing says so but their hashes.
    pub(crate) bodies: Vec<Vec<u8>>,
    /// The root of the tree after this frame.
    pub(crate) root: TreeHash,
    signature: [u8; 64],
    /// Bytes that it takes in the journal.
    pub(crate) length: u64,
}

/// What lies at a place in the journal.
#[derive(Debug)]
pub(crate) enum Found {
    Frame(Frame),
    /// Only zeros: never written.
    Blank,
    /// Something, but no intact frame.
    Torn,
}

/// Encodes and signs a frame.
pub(crate) fn encode(
    signer: &NoteSigner,
    first_index: u64,
    (entries, bodies): (&[&[u8]], &[&[u8]]),
    root: &TreeHash,
) -> Vec<u8> {
    let size = first_index + entries.len() as u64;
    let mut body = encode_bodies(bodies);
    entries
        .iter()
        .for_each(|entry| append_to_bundle(&mut body, entry));
    body.extend_from_slice(root.as_bytes());
    let signed = signed_bytes(signer.verifier().name(), size, root);
    body.extend_from_slice(&signer.sign_non_note(&signed));
    let magic = if bodies.is_empty() {
        MAGIC
    } else {
        MAGIC_WITH_BODIES
    };
    let mut frame = header(magic, first_index, entries.len(), body.len());
    let crc = checksum(&frame, &body);
    frame.extend_from_slice(&crc.to_be_bytes());
    frame.append(&mut body);
    frame
}

/// The section of the bodies; nothing where there are none.
fn encode_bodies(bodies: &[&[u8]]) -> Vec<u8> {
    if bodies.is_empty() {
        return Vec::new();
    }
    let length: usize = bodies.iter().map(|body| body.len() + 4).sum();
    let mut section = length_field(length).to_vec();
    for body in bodies {
        section.extend_from_slice(&length_field(body.len()));
        section.extend_from_slice(body);
    }
    section
}

fn length_field(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}

/// The header without its CRC.
fn header(magic: [u8; 4], first_index: u64, count: usize, body_bytes: usize) -> Vec<u8> {
    let mut header = magic.to_vec();
    header.extend_from_slice(&length_field(body_bytes));
    header.extend_from_slice(&first_index.to_be_bytes());
    header.extend_from_slice(&length_field(count));
    header
}

fn checksum(header: &[u8], body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(header);
    hasher.update(body);
    hasher.finalize()
}

fn signed_bytes(origin: &str, size: u64, root: &TreeHash) -> Vec<u8> {
    let mut bytes = DOMAIN.to_vec();
    bytes.extend_from_slice(origin.as_bytes());
    bytes.push(0);
    bytes.extend_from_slice(&size.to_be_bytes());
    bytes.extend_from_slice(root.as_bytes());
    bytes
}

/// The length of the whole frame that a header announces, unless it is no header.
pub(crate) fn length_in_header(header: &[u8]) -> Option<u64> {
    let (magic, fields) = header.split_first_chunk::<4>()?;
    let (body_bytes, _) = fields.split_first_chunk::<4>()?;
    is_magic(magic).then(|| HEADER_BYTES as u64 + u64::from(u32::from_be_bytes(*body_bytes)))
}

fn is_magic(bytes: &[u8]) -> bool {
    bytes == MAGIC || bytes == MAGIC_WITH_BODIES
}

/// Reads what begins at the start of `bytes`, which reach to the end of the segment.
pub(crate) fn decode(bytes: &[u8]) -> Found {
    match decode_intact(bytes) {
        Some(frame) => Found::Frame(frame),
        None if bytes.iter().all(|&byte| byte == 0) => Found::Blank,
        None => Found::Torn,
    }
}

fn decode_intact(bytes: &[u8]) -> Option<Frame> {
    let (header, rest) = bytes.split_at_checked(HEADER_BYTES)?;
    let (magic, fields) = header.split_first_chunk::<4>()?;
    if !is_magic(magic) {
        return None;
    }
    let (body_bytes, fields) = fields.split_first_chunk::<4>()?;
    let (first_index, fields) = fields.split_first_chunk::<8>()?;
    let (count, crc) = fields.split_first_chunk::<4>()?;
    let body = rest.get(..usize::try_from(u32::from_be_bytes(*body_bytes)).ok()?)?;
    let header = header.get(..HEADER_BYTES - 4)?;
    if crc != checksum(header, body).to_be_bytes() {
        return None;
    }
    let (bodies, rest) = if *magic == MAGIC_WITH_BODIES {
        split_bodies(body)?
    } else {
        (Vec::new(), body)
    };
    let (entries, trailer) = rest.split_at_checked(rest.len().checked_sub(TRAILER_BYTES)?)?;
    let (root, signature) = trailer.split_at_checked(32)?;
    let entries = split_bundle(entries)?;
    (entries.len() == usize::try_from(u32::from_be_bytes(*count)).ok()?).then_some(Frame {
        first_index: u64::from_be_bytes(*first_index),
        entries,
        bodies,
        root: TreeHash::from_slice(root)?,
        signature: signature.try_into().ok()?,
        length: (HEADER_BYTES + body.len()) as u64,
    })
}

/// The bodies, and what follows them.
fn split_bodies(body: &[u8]) -> Option<(Vec<Vec<u8>>, &[u8])> {
    let (mut section, rest) = split_counted(body)?;
    let mut bodies = Vec::new();
    while !section.is_empty() {
        let (one, after) = split_counted(section)?;
        bodies.push(one.to_vec());
        section = after;
    }
    Some((bodies, rest))
}

/// As many bytes as their length in front says, and what follows.
fn split_counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*length)).ok()?)
}

impl Frame {
    /// Entries in the log after this frame.
    pub(crate) const fn end(&self) -> u64 {
        self.first_index.saturating_add(self.entries.len() as u64)
    }

    /// Whether the log's own key signed it.
    pub(crate) fn is_signed_by(&self, verifier: &NoteVerifier) -> bool {
        let signed = signed_bytes(verifier.name(), self.end(), &self.root);
        verifier.check(&signed, &self.signature).is_ok()
    }
}

/// Whether an intact, signed frame that begins at or after `expected` lies anywhere in `bytes`. The
/// signature matters: an agent can put bytes that look like a frame into its entries.
pub(crate) fn holds_later_frame(bytes: &[u8], expected: u64, verifier: &NoteVerifier) -> bool {
    let candidates = bytes
        .windows(MAGIC.len())
        .enumerate()
        .filter(|(_, window)| is_magic(window));
    candidates
        .filter_map(|(at, _)| decode_intact(bytes.get(at..)?))
        .any(|frame| frame.first_index > expected && frame.is_signed_by(verifier))
}
