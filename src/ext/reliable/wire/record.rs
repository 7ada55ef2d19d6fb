//! A message as it lies in a store: everything but its place.

use std::time::Duration;

use super::packet::{Flaw, properties, put_properties};
use super::reader::{Reader, put_run, put_varint};
use crate::ext::reliable::model::Letter;

const ID: u8 = 1;
const EXPIRES: u8 = 2;
const PROPERTIES_FOLLOW: u8 = 4;

/// A message that is or was stored.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ext::reliable) struct Record {
    /// Its place in the order of its priority.
    pub(in crate::ext::reliable) number: u64,
    /// The number in its id.
    pub(in crate::ext::reliable) id: u64,
    /// When it was sent on or received, in microseconds since 1970.
    pub(in crate::ext::reliable) pushed: u64,
    /// When it expires.
    pub(in crate::ext::reliable) expires: Option<u64>,
    /// Content and properties; the priority is in the key.
    pub(in crate::ext::reliable) letter: Letter,
}

/// Appends a record to others, with its length before it.
pub(in crate::ext::reliable) fn write_record(
    out: &mut Vec<u8>,
    number: u64,
    id: u64,
    times: (u64, Option<u64>),
    letter: &Letter,
) {
    let (pushed, expires) = times;
    let mut head = Vec::with_capacity(40);
    let properties = !letter.properties.is_empty();
    let mut flags = 0;
    flags |= if id != number { ID } else { 0 };
    flags |= if expires.is_some() { EXPIRES } else { 0 };
    flags |= if properties { PROPERTIES_FOLLOW } else { 0 };
    head.push(flags);
    put_varint(&mut head, number);
    put_varint(&mut head, pushed);
    if id != number {
        put_varint(&mut head, id);
    }
    if let Some(expires) = expires {
        put_varint(&mut head, expires);
    }
    if properties {
        put_properties(&mut head, &letter.properties);
    }
    put_run(out, &head);
    put_run(out, &letter.content);
}

impl Record {
    /// Reads the next of several.
    pub(in crate::ext::reliable) fn read(
        reader: &mut Reader<'_>,
        priority: u8,
    ) -> Result<Record, Flaw> {
        let mut head = Reader::new(reader.run()?);
        let content = reader.run()?;
        let flags = head.byte()?;
        let (number, pushed) = (head.varint()?, head.varint()?);
        let id = match flags & ID {
            0 => number,
            _ => head.varint()?,
        };
        let expires = match flags & EXPIRES {
            0 => None,
            _ => Some(head.varint()?),
        };
        let mut letter = Letter::new(content.to_vec())
            .priority(priority)
            .persistent();
        letter.ttl = expires.map(|at| Duration::from_micros(at.saturating_sub(pushed)));
        if flags & PROPERTIES_FOLLOW != 0 {
            letter.properties = properties(&mut head)?;
        }
        Ok(Record {
            number,
            id,
            pushed,
            expires,
            letter,
        })
    }
}
