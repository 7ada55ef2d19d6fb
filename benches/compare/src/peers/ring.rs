//! The physical bound: a bare ring in a shared memfd, written and read in place, both ends spinning.
//!
//! No library could do less: no wake-ups, no handshake, no checks of what the other process does, no peers that come
//! and go. One writer; every reader sees every message (a fan-out writes once). With one reader it is the usual SPSC.
//!
//! ```text
//!   | written | read 0 | read 1 | ... | records: length, payload, padding to 8 bytes ...        |
//!   each cursor on its own pair of cache lines; a record never wraps, a length of SKIP says "go on at the start"
//! ```

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{MmapOptions, MmapRaw};
use nix::sys::memfd::{MFdFlags, memfd_create};

use super::Peer;
use crate::Outcome;
use crate::cells::{Cell, Shape};
use crate::drive::{self, Receives, Sends};
use crate::job::Job;
use crate::lines::Fars;
use crate::meter::Sample;
use crate::payload::read;
use crate::spin::Spin;

pub struct BareRing;

/// Distance between cursors: two cache lines, because processors fetch them in pairs.
const LINE: usize = 128;
/// In front of each payload.
const LENGTH: usize = size_of::<u64>();
/// A length that says that the rest up to the end is unused.
const SKIP: u64 = u64::MAX;

/// How many bytes of records, a power of two: four messages and at least 1 MiB, but of very large ones only two, so
/// that they stay in caches.
fn capacity(job: &Job) -> usize {
    let records = |count: usize| (count * (job.cell.size + LENGTH)).next_power_of_two();
    records(4).min(records(2).max(16 << 20)).max(1 << 20)
}

/// A mapping of the ring. Cursors count bytes for ever; the place is the remainder by the capacity.
struct Shared {
    map: MmapRaw,
    readers: usize,
    capacity: usize,
}

impl Shared {
    fn map(file: &File, job: &Job) -> Outcome<Shared> {
        let (readers, capacity) = (job.cell.far_ends(), capacity(job));
        let bytes = (readers + 1) * LINE + capacity;
        file.set_len(bytes as u64)?;
        let map = MmapOptions::new().len(bytes).map_raw(file)?;
        Ok(Shared {
            map,
            readers,
            capacity,
        })
    }

    /// Cursor 0 is the writer's, the others are the readers'.
    fn cursor(&self, index: usize) -> &AtomicU64 {
        assert!(index <= self.readers);
        let at = self.map.as_mut_ptr().wrapping_add(index * LINE);
        // SAFETY: it lies within the mapping, which lives as long as `self`, at a multiple of 128 bytes from the
        // start of a page; and both processes touch these eight bytes through atomics alone.
        unsafe { AtomicU64::from_ptr(at.cast()) }
    }

    fn record(&self, cursor: u64, len: usize) -> *mut u8 {
        let place = self.place(cursor);
        assert!(len <= self.capacity - place, "a record would wrap");
        self.map
            .as_mut_ptr()
            .wrapping_add((self.readers + 1) * LINE + place)
    }

    fn place(&self, cursor: u64) -> usize {
        cursor as usize & (self.capacity - 1)
    }
}

/// Bytes of a record with this payload.
fn record_len(len: usize) -> usize {
    LENGTH + len.next_multiple_of(LENGTH)
}

struct Writer {
    shared: Shared,
    written: u64,
    /// The slowest reader's cursor as it was when last looked at.
    read: u64,
}

impl Writer {
    /// Waits until this many bytes are free behind the cursor.
    fn wait_for(&mut self, bytes: usize) {
        let mut spin = Spin::new();
        while self.written + bytes as u64 - self.read > self.shared.capacity as u64 {
            let readers = 1..=self.shared.readers;
            let slowest = readers.map(|index| self.shared.cursor(index).load(Ordering::Acquire));
            let slowest = slowest.min().unwrap_or(self.written);
            if slowest == self.read {
                spin.again();
            }
            self.read = slowest;
        }
    }

    /// Writes a length at the cursor, which is free.
    fn put_length(&mut self, length: u64) {
        let at = self.shared.record(self.written, LENGTH);
        // SAFETY: `record` saw to it that eight bytes are left before the end, every record begins at a multiple of
        // eight, and no reader looks here before the cursor is stored behind it (`wait_for` found it free).
        unsafe { at.cast::<u64>().write(length) };
    }
}

impl Sends for Writer {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let needed = record_len(len);
        let left = self.shared.capacity - self.shared.place(self.written);
        if left < needed {
            self.wait_for(left);
            self.put_length(SKIP);
            self.written += left as u64;
            self.shared.cursor(0).store(self.written, Ordering::Release);
        }
        self.wait_for(needed);
        self.put_length(len as u64);
        let at = self
            .shared
            .record(self.written, needed)
            .wrapping_add(LENGTH);
        // SAFETY: `record` saw to it that the whole record lies before the end, and no reader looks at it before the
        // cursor is stored behind it (`wait_for` found it free); the bytes are plain and the mapping lives.
        unsafe { slice::from_raw_parts_mut(at, len) }.fill(tag);
        self.written += needed as u64;
        self.shared.cursor(0).store(self.written, Ordering::Release);
        Ok(())
    }
}

struct Reader {
    shared: Shared,
    /// Which cursor is ours.
    index: usize,
    read: u64,
    /// The writer's cursor as it was when last looked at.
    written: u64,
}

impl Receives for Reader {
    #[inline]
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        let mut spin = Spin::new();
        loop {
            while self.read == self.written {
                self.written = self.shared.cursor(0).load(Ordering::Acquire);
                if self.read == self.written {
                    spin.again();
                }
            }
            let at = self.shared.record(self.read, LENGTH);
            // SAFETY: `record` saw to it that eight bytes are left before the end, records begin at multiples of
            // eight, and the writer stored its cursor behind this length after writing it.
            let length = unsafe { at.cast::<u64>().read() };
            if length == SKIP {
                self.read += (self.shared.capacity - self.shared.place(self.read)) as u64;
                continue;
            }
            let len = length as usize;
            let at = self
                .shared
                .record(self.read, record_len(len))
                .wrapping_add(LENGTH);
            // SAFETY: `record` saw to it that the whole record lies before the end; the writer wrote it before it
            // stored its cursor behind it, and writes here again only after our cursor has passed.
            let sum = read(unsafe { slice::from_raw_parts(at, len) });
            self.read += record_len(len) as u64;
            let cursor = self.shared.cursor(self.index);
            cursor.store(self.read, Ordering::Release);
            return Ok((len, sum));
        }
    }
}

struct Both(Writer, Reader);

impl Sends for Both {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        self.0.send(len, tag)
    }
}

impl Receives for Both {
    #[inline]
    fn recv(&mut self) -> Outcome<(usize, u64)> {
        self.1.recv()
    }
}

fn writer(file: &File, job: &Job) -> Outcome<Writer> {
    Ok(Writer {
        shared: Shared::map(file, job)?,
        written: 0,
        read: 0,
    })
}

fn reader(file: &File, job: &Job) -> Outcome<Reader> {
    Ok(Reader {
        shared: Shared::map(file, job)?,
        index: job.index + 1,
        read: 0,
        written: 0,
    })
}

/// Memory without a name; it is gone with the last process that has it.
fn memory() -> Outcome<File> {
    Ok(memfd_create("taipan-compare-ring", MFdFlags::MFD_CLOEXEC)?.into())
}

/// Where the far end, which runs while we do, can open it.
fn place(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

fn open(place: &str) -> Outcome<File> {
    Ok(OpenOptions::new().read(true).write(true).open(place)?)
}

impl Peer for BareRing {
    fn id(&self) -> &'static str {
        "bare-ring"
    }

    fn version(&self) -> String {
        "bare ring in a memfd: the physical bound for whole messages in place".to_owned()
    }

    fn manner(&self) -> &'static str {
        "written and read in place, both ends spin (then yield)"
    }

    fn lacks(&self, _cell: &Cell) -> Option<&'static str> {
        None
    }

    fn near(&self, job: &Job) -> Outcome<Sample> {
        let there = memory()?;
        let mut out = writer(&there, job)?;
        if job.cell.shape == Shape::RoundTrip {
            let back = memory()?;
            let mut both = Both(out, reader(&back, job)?);
            let fars = Fars::launch(job, format!("{} {}", place(&there), place(&back)))?;
            return drive::ask(&mut both, fars, job);
        }
        let fars = Fars::launch(job, place(&there))?;
        drive::send_all(&mut out, fars, job)
    }

    fn far(&self, job: &Job) -> Outcome<()> {
        if let Some((there, back)) = job.place.split_once(' ') {
            let mut both = Both(writer(&open(back)?, job)?, reader(&open(there)?, job)?);
            return drive::answer(&mut both, job);
        }
        drive::receive_all(&mut reader(&open(&job.place)?, job)?, job)
    }
}
