//! The values of a messenger's store.

use super::super::model::{Amount, Ident, Letter};
use super::super::wire::{Flaw, Reader, Record, put_varint, write_record};

/// The version of keys and values.
pub(in crate::ext::reliable) const FORMAT: u64 = 1;
/// Bytes of one chunk, unless a single message is larger.
const CHUNK: usize = 64 * 1024;

/// Whose store this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::ext::reliable) struct Meta {
    pub(in crate::ext::reliable) format: u64,
    pub(in crate::ext::reliable) instance: [u8; 16],
    /// Numbers from `range << 32` on have not been given away.
    pub(in crate::ext::reliable) range: u64,
    pub(in crate::ext::reliable) ident: String,
}

impl Meta {
    pub(in crate::ext::reliable) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.format);
        out.extend_from_slice(&self.instance);
        put_varint(&mut out, self.range);
        out.extend_from_slice(self.ident.as_bytes());
        out
    }

    pub(in crate::ext::reliable) fn read(value: &[u8]) -> Result<Meta, Flaw> {
        let mut reader = Reader::new(value);
        let format = reader.varint()?;
        if format != FORMAT {
            return Ok(Meta {
                format,
                instance: [0; 16],
                range: 0,
                ident: String::new(),
            });
        }
        Ok(Meta {
            format,
            instance: reader.array()?,
            range: reader.varint()?,
            ident: String::from_utf8(reader.rest().to_vec()).map_err(|_| Flaw::Value)?,
        })
    }
}

/// Several messages in one row.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ext::reliable) struct Chunk {
    /// All that was ever put into this queue, up to the end of this chunk.
    pub(in crate::ext::reliable) put: Amount,
    pub(in crate::ext::reliable) records: Vec<Record>,
}

impl Chunk {
    pub(in crate::ext::reliable) fn read(value: &[u8], priority: u8) -> Result<Chunk, Flaw> {
        let mut reader = Reader::new(value);
        let put = Amount::new(reader.varint()?, reader.varint()?);
        let mut records = Vec::new();
        while !reader.is_empty() {
            records.push(Record::read(&mut reader, priority)?);
        }
        Ok(Chunk { put, records })
    }

    /// The sum alone.
    pub(in crate::ext::reliable) fn read_put(value: &[u8]) -> Result<Amount, Flaw> {
        let mut reader = Reader::new(value);
        Ok(Amount::new(reader.varint()?, reader.varint()?))
    }
}

/// A chunk that grows until it is committed.
#[derive(Debug, Default)]
pub(in crate::ext::reliable) struct OpenChunk {
    records: Vec<u8>,
    first: u64,
    last: u64,
}

impl OpenChunk {
    pub(in crate::ext::reliable) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Whether another message of this size goes better into the next one.
    pub(in crate::ext::reliable) fn is_full(&self, more: usize) -> bool {
        !self.is_empty() && self.records.len() + more > CHUNK
    }

    pub(in crate::ext::reliable) fn push(
        &mut self,
        number: u64,
        id: u64,
        times: (u64, Option<u64>),
        letter: &Letter,
    ) {
        if self.is_empty() {
            self.first = number;
        }
        self.last = number;
        write_record(&mut self.records, number, id, times, letter);
    }

    /// Ends it: first and last number, and the value of its row.
    pub(in crate::ext::reliable) fn finish(&mut self, put: Amount) -> (u64, u64, Vec<u8>) {
        let mut value = Vec::with_capacity(self.records.len() + 20);
        put_varint(&mut value, put.messages);
        put_varint(&mut value, put.bytes);
        value.append(&mut self.records);
        (self.first, self.last, value)
    }
}

/// What of a queue needs no sending any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::ext::reliable) struct Settled {
    /// Everything below.
    pub(in crate::ext::reliable) below: u64,
    /// How much that was, and what was dropped beyond.
    pub(in crate::ext::reliable) amount: Amount,
}

impl Settled {
    pub(in crate::ext::reliable) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        for number in [self.below, self.amount.messages, self.amount.bytes] {
            put_varint(&mut out, number);
        }
        out
    }

    pub(in crate::ext::reliable) fn read(value: &[u8]) -> Result<Settled, Flaw> {
        let mut reader = Reader::new(value);
        Ok(Settled {
            below: reader.varint()?,
            amount: Amount::new(reader.varint()?, reader.varint()?),
        })
    }
}

/// A message that is held back.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ext::reliable) struct Delayed {
    pub(in crate::ext::reliable) to: Ident,
    pub(in crate::ext::reliable) record: Record,
}

impl Delayed {
    pub(in crate::ext::reliable) fn write(
        to: &Ident,
        id: u64,
        times: (u64, Option<u64>),
        letter: &Letter,
    ) -> Vec<u8> {
        let mut out = vec![letter.priority, to.len() as u8];
        out.extend_from_slice(to.as_bytes());
        write_record(&mut out, id, id, times, letter);
        out
    }

    pub(in crate::ext::reliable) fn read(value: &[u8]) -> Result<Delayed, Flaw> {
        let mut reader = Reader::new(value);
        let (priority, len) = (reader.byte()?, reader.byte()?);
        let to = std::str::from_utf8(reader.take(len.into())?).map_err(|_| Flaw::Value)?;
        Ok(Delayed {
            to: Ident::new(to).map_err(|_| Flaw::Value)?,
            record: Record::read(&mut reader, priority)?,
        })
    }
}

/// What came from one instance of a sender: the next number of each priority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ext::reliable) struct Seen {
    pub(in crate::ext::reliable) at: u64,
    pub(in crate::ext::reliable) next: Vec<(u8, u64)>,
}

impl Seen {
    pub(in crate::ext::reliable) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(24);
        put_varint(&mut out, self.at);
        for (priority, next) in &self.next {
            out.push(*priority);
            put_varint(&mut out, *next);
        }
        out
    }

    pub(in crate::ext::reliable) fn read(value: &[u8]) -> Result<Seen, Flaw> {
        let mut reader = Reader::new(value);
        let mut seen = Seen {
            at: reader.varint()?,
            next: Vec::new(),
        };
        while !reader.is_empty() {
            seen.next.push((reader.byte()?, reader.varint()?));
        }
        Ok(seen)
    }
}

/// Which received messages the application has acknowledged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::ext::reliable) struct Done {
    /// All below.
    pub(in crate::ext::reliable) below: u64,
    /// And these.
    pub(in crate::ext::reliable) also: Vec<u64>,
}

impl Done {
    pub(in crate::ext::reliable) fn write(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16);
        put_varint(&mut out, self.below);
        for number in &self.also {
            put_varint(&mut out, *number);
        }
        out
    }

    pub(in crate::ext::reliable) fn read(value: &[u8]) -> Result<Done, Flaw> {
        let mut reader = Reader::new(value);
        let mut done = Done {
            below: reader.varint()?,
            also: Vec::new(),
        };
        while !reader.is_empty() {
            done.also.push(reader.varint()?);
        }
        Ok(done)
    }
}
