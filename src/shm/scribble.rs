//! A peer's hand, for fuzz targets: it writes anything anywhere into a segment of its own.

use std::ptr;

use super::memfd::Segment;

/// Writes bytes from an offset on, both taken as far as the segment goes.
pub(crate) fn scribble(segment: &Segment, offset: usize, bytes: &[u8]) {
    let offset = offset % segment.len();
    let count = bytes.len().min(segment.len() - offset);
    // SAFETY: `offset` is below the length of the map.
    let at = unsafe { segment.map().base().add(offset) };
    // SAFETY: `count` bytes are mapped from there on, writable, because the segment is ours; nobody has a reference to
    // them, and the caller's bytes lie elsewhere.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), at.as_ptr(), count) };
}
