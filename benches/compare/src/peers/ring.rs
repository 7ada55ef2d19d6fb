//! The physical bound: a bare ring in a shared memfd, written and read in place, both ends spinning.
//!
//! No library could do less: no wake-ups, no handshake, no checks of what the other process does, no peers that come
//! and go. One writer; every reader sees every message (publishing writes once). With one reader it is the usual SPSC.
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

use super::{About, Part};
use crate::Outcome;
use crate::cells::{Cell, Course, Transport};
use crate::drive::{End, Threaded};
use crate::job::Job;
use crate::payload::{Got, read};
use crate::spin::Spin;

pub struct BareRing;

/// Distance between cursors: two cache lines, because processors fetch them in pairs.
const LINE: usize = 128;
/// In front of each payload.
const LENGTH: usize = size_of::<u64>();
/// A length that says that the rest up to the end is unused.
const SKIP: u64 = u64::MAX;

/// How many bytes of records, a power of two: four messages and at least 1 MiB, but of very large ones only two, so
/// that they stay in caches; and all that are asked at a time.
fn capacity(job: &Job) -> usize {
    let records = |count: usize| (count * (job.cell.size + LENGTH)).next_power_of_two();
    if let Course::Ask(in_flight) = job.cell.course() {
        return records(in_flight + 1).max(1 << 20);
    }
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
        let readers = match job.cell.course() {
            Course::Out => job.cell.far_ends(),
            Course::Share | Course::Gather | Course::Ask(_) => 1,
        };
        let capacity = capacity(job);
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

impl Writer {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) {
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

impl Reader {
    /// The next message, if it is there.
    #[inline]
    fn recv(&mut self) -> Option<Got> {
        loop {
            if self.read == self.written {
                self.written = self.shared.cursor(0).load(Ordering::Acquire);
                if self.read == self.written {
                    return None;
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
            let got = read(unsafe { slice::from_raw_parts(at, len) });
            self.read += record_len(len) as u64;
            let cursor = self.shared.cursor(self.index);
            cursor.store(self.read, Ordering::Release);
            return Some(got);
        }
    }
}

/// The rings of an end.
pub struct Rings {
    outs: Vec<Writer>,
    ins: Vec<Reader>,
    /// Which of them is next.
    turn: usize,
    /// The near end's memory, open for the far process to find.
    _files: Vec<File>,
}

impl End for Rings {
    #[inline]
    fn send(&mut self, len: usize, tag: u8) -> Outcome<()> {
        let out = self.outs.get_mut(self.turn).ok_or("nothing to write to")?;
        out.send(len, tag);
        self.turn += 1;
        if self.turn == self.outs.len() {
            self.turn = 0;
        }
        Ok(())
    }

    #[inline]
    fn recv(&mut self) -> Outcome<Got> {
        let mut spin = Spin::new();
        loop {
            for input in &mut self.ins {
                if let Some(got) = input.recv() {
                    return Ok(got);
                }
            }
            spin.again();
        }
    }
}

fn writer(file: &File, job: &Job) -> Outcome<Writer> {
    Ok(Writer {
        shared: Shared::map(file, job)?,
        written: 0,
        read: 0,
    })
}

fn reader(file: &File, job: &Job, index: usize) -> Outcome<Reader> {
    Ok(Reader {
        shared: Shared::map(file, job)?,
        index: index + 1,
        read: 0,
        written: 0,
    })
}

/// Memory without a name; it is gone with the last process that has it.
fn memory() -> Outcome<File> {
    Ok(memfd_create("taipan-compare-ring", MFdFlags::MFD_CLOEXEC)?.into())
}

/// Where the far ends, which run while we do, can open it.
fn place(file: &File) -> String {
    format!("/proc/{}/fd/{}", std::process::id(), file.as_raw_fd())
}

fn open(place: &str) -> Outcome<File> {
    Ok(OpenOptions::new().read(true).write(true).open(place)?)
}

impl Threaded for BareRing {
    type End = Rings;

    fn about(&self) -> About {
        About {
            id: "bare-ring".to_owned(),
            version: "bare ring in a memfd, for whole messages in place".to_owned(),
            manner: "written and read in place, both ends spin (then yield)".to_owned(),
            part: Part::Bound,
            quick: true,
        }
    }

    fn lacks(&self, cell: &Cell) -> Option<&'static str> {
        (cell.transport != Transport::Ipc).then_some("it is memory shared between processes")
    }

    fn near(&self, job: &Job) -> Outcome<(Rings, String)> {
        let ends = job.cell.far_ends();
        let (outs, ins) = match job.cell.course() {
            Course::Out => (1, 0),
            Course::Share => (ends, 0),
            Course::Gather => (0, ends),
            Course::Ask(_) => (1, 1),
        };
        let files = (0..outs + ins).map(|_| memory());
        let files = files.collect::<Outcome<Vec<File>>>()?;
        let (write, read) = files.split_at(outs);
        let outs = write.iter().map(|file| writer(file, job));
        let ins = read.iter().map(|file| reader(file, job, 0));
        let places: Vec<String> = files.iter().map(place).collect();
        let rings = Rings {
            outs: outs.collect::<Outcome<_>>()?,
            ins: ins.collect::<Outcome<_>>()?,
            turn: 0,
            _files: files,
        };
        Ok((rings, places.join(" ")))
    }

    fn far(&self, job: &Job, index: usize) -> Outcome<Rings> {
        let places = job.place.split(' ').map(open);
        let files = places.collect::<Outcome<Vec<File>>>()?;
        let (out, input) = match job.cell.course() {
            Course::Out => (None, Some((0, index))),
            Course::Share => (None, Some((index, 0))),
            Course::Gather => (Some(index), None),
            Course::Ask(_) => (Some(1), Some((0, 0))),
        };
        let outs = out.iter().map(|at| writer(&files[*at], job));
        let ins = input
            .iter()
            .map(|(at, index)| reader(&files[*at], job, *index));
        Ok(Rings {
            outs: outs.collect::<Outcome<_>>()?,
            ins: ins.collect::<Outcome<_>>()?,
            turn: 0,
            _files: Vec::new(),
        })
    }
}
