//! The bytes of a ring, as its writer and as its reader see them.
//!
//! The ring lies twice in a row in the address space, so a record that begins before its end goes on behind it
//! and there is no code for wrapping. With `--cfg taipan_loom` the bytes are words on the heap, and loom reports
//! a reader that looks at what its writer has not published.

#[cfg(not(taipan_loom))]
pub(super) use real::{OwnArea, PeerArea};

#[cfg(taipan_loom)]
pub(super) use model::{OwnArea, PeerArea, area};

#[cfg(not(taipan_loom))]
mod real {
    use std::ptr::{self, NonNull};
    use std::sync::Arc;

    use crate::shm::copy;
    use crate::shm::live::SEGMENT_HEAD;
    use crate::shm::map::Mapping;

    /// Where a ring begins in its mapping, and the capacity (a power of two): the mapping holds twice as much.
    fn ring_of(map: &Arc<Mapping>) -> (NonNull<u8>, u64) {
        let capacity = map.len().saturating_sub(SEGMENT_HEAD);
        assert!(capacity.is_power_of_two(), "checked by whoever mapped it");
        // SAFETY: the mapping is longer than SEGMENT_HEAD, because `capacity` is not zero.
        (unsafe { map.base().add(SEGMENT_HEAD) }, capacity as u64)
    }

    /// The ring of our own segment. Nobody else writes it.
    pub(in crate::shm) struct OwnArea {
        base: NonNull<u8>,
        mask: u64,
        _map: Arc<Mapping>,
    }

    // SAFETY: the memory is ours to write and mapped for as long as the value lives.
    unsafe impl Send for OwnArea {}

    impl OwnArea {
        pub(in crate::shm) fn new(map: &Arc<Mapping>) -> Self {
            let (base, capacity) = ring_of(map);
            OwnArea {
                base,
                mask: capacity - 1,
                _map: map.clone(),
            }
        }

        pub(in crate::shm) fn capacity(&self) -> u64 {
            self.mask + 1
        }

        /// Writes a word and the bytes behind it; together at most the capacity.
        #[inline]
        pub(in crate::shm) fn write(&mut self, position: u64, header: u64, payload: &[u8]) {
            assert!(payload.len() as u64 + 8 <= self.capacity());
            // SAFETY: the masked position lies in the first copy of the ring.
            let at = unsafe { self.base.add((position & self.mask) as usize) };
            // SAFETY: positions are multiples of 8, so the word is aligned and inside.
            unsafe { ptr::write(at.cast().as_ptr(), header.to_le()) };
            // SAFETY: below the end of the second copy.
            let body = unsafe { at.add(8) };
            // SAFETY: the two copies of the ring hold `payload.len()` bytes from here on (asserted above); the
            // payload is not in the free part of the ring, of which nobody has a reference.
            unsafe { ptr::copy_nonoverlapping(payload.as_ptr(), body.as_ptr(), payload.len()) };
        }
    }

    /// The ring of the peer's segment, which the peer may change at any time.
    pub(in crate::shm) struct PeerArea {
        base: NonNull<u8>,
        mask: u64,
        _map: Arc<Mapping>,
    }

    // SAFETY: the memory is only read, by volatile accesses, and mapped for as long as the value lives.
    unsafe impl Send for PeerArea {}

    impl PeerArea {
        pub(in crate::shm) fn new(map: &Arc<Mapping>) -> Self {
            let (base, capacity) = ring_of(map);
            PeerArea {
                base,
                mask: capacity - 1,
                _map: map.clone(),
            }
        }

        pub(in crate::shm) fn capacity(&self) -> u64 {
            self.mask + 1
        }

        #[inline]
        fn at(&self, position: u64, len: usize) -> *const u8 {
            assert!(len as u64 <= self.capacity());
            // SAFETY: the masked position lies in the first copy of the ring, and `len` bytes from there on in
            // the two of them.
            unsafe { self.base.add((position & self.mask) as usize) }.as_ptr()
        }

        /// The word at a position, which is a multiple of 8.
        #[inline]
        pub(in crate::shm) fn word(&self, position: u64) -> u64 {
            let at = self.at(position, 8).cast::<u64>();
            // SAFETY: mapped and aligned; volatile, because the peer may write at the same time.
            u64::from_le(unsafe { ptr::read_volatile(at) })
        }

        /// 64 bytes from a position on, whatever they are.
        #[inline]
        pub(in crate::shm) fn window(&self, position: u64) -> [u8; 64] {
            // SAFETY: 64 bytes are mapped there.
            unsafe { copy::copy_out_64(self.at(position, 64)) }
        }

        /// A copy of `len` bytes, at most the capacity.
        #[inline]
        pub(in crate::shm) fn to_vec(&self, position: u64, len: usize) -> Vec<u8> {
            // SAFETY: `at` has checked that so many bytes are mapped.
            unsafe { copy::copy_to_vec(self.at(position, len), len) }
        }

        /// Appends a copy of `len` bytes, at most the capacity.
        pub(in crate::shm) fn append(&self, position: u64, len: usize, into: &mut Vec<u8>) {
            // SAFETY: as above.
            unsafe { copy::append(self.at(position, len), len, into) };
        }
    }
}

#[cfg(taipan_loom)]
mod model {
    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    type Cells = Arc<Vec<UnsafeCell<u64>>>;

    fn cell(cells: &Cells, position: u64) -> &UnsafeCell<u64> {
        &cells[(position / 8) as usize % cells.len()]
    }

    /// See the real one. Payloads are whole words.
    pub(in crate::shm) struct OwnArea(Cells);
    /// See the real one.
    pub(in crate::shm) struct PeerArea(Cells);

    /// Both faces of a ring of so many bytes.
    pub(in crate::shm) fn area(bytes: usize) -> (OwnArea, PeerArea) {
        let cells: Cells = Arc::new((0..bytes / 8).map(|_| UnsafeCell::new(0)).collect());
        (OwnArea(cells.clone()), PeerArea(cells))
    }

    impl OwnArea {
        pub(in crate::shm) fn capacity(&self) -> u64 {
            self.0.len() as u64 * 8
        }

        pub(in crate::shm) fn write(&mut self, position: u64, header: u64, payload: &[u8]) {
            let put = |position, value| {
                // SAFETY: loom checks that nobody else looks.
                cell(&self.0, position).with_mut(|place| unsafe { *place = value });
            };
            put(position, header);
            for (place, word) in payload.chunks_exact(8).enumerate() {
                let value = u64::from_le_bytes(word.try_into().expect("eight bytes"));
                put(position + 8 + place as u64 * 8, value);
            }
        }
    }

    impl PeerArea {
        pub(in crate::shm) fn capacity(&self) -> u64 {
            self.0.len() as u64 * 8
        }

        pub(in crate::shm) fn word(&self, position: u64) -> u64 {
            // SAFETY: loom checks that nobody writes.
            cell(&self.0, position).with(|place| unsafe { *place })
        }

        pub(in crate::shm) fn window(&self, position: u64) -> [u8; 64] {
            let mut window = [0; 64];
            window[..8].copy_from_slice(&self.word(position).to_le_bytes());
            window
        }

        pub(in crate::shm) fn to_vec(&self, position: u64, len: usize) -> Vec<u8> {
            let mut bytes = Vec::new();
            self.append(position, len, &mut bytes);
            bytes
        }

        pub(in crate::shm) fn append(&self, position: u64, len: usize, into: &mut Vec<u8>) {
            for offset in (0..len as u64).step_by(8) {
                into.extend_from_slice(&self.word(position + offset).to_le_bytes());
            }
        }
    }
}
