//! What two messengers say to each other.

use bytes::Bytes;

use super::reader::{Reader, Short, put_run, put_varint};
use crate::ext::reliable::model::{Letter, Properties, Refusal};
use crate::message::{Frame, Message};

/// The version of the protocol that is spoken here.
pub(in crate::ext::reliable) const VERSION: u8 = 1;
/// Contents above this go in a frame of their own, uncopied.
const APART: usize = 1024;
/// Bytes of all properties together.
pub(in crate::ext::reliable) const PROPERTIES: usize = 64 * 1024;

const HELLO: u8 = 1;
const REFUSE: u8 = 2;
const DATA: u8 = 3;
const ACK: u8 = 4;
const PROBE: u8 = 5;
const BYE: u8 = 6;

const ANSWER: u8 = 1;

const PERSISTENT: u8 = 1;
const PRIORITY: u8 = 2;
const ID: u8 = 4;
const PROPERTIES_FOLLOW: u8 = 8;
const CONTENT_APART: u8 = 16;
const AGAIN: u8 = 32;

/// A packet that makes no sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It ends too early, or a number in it is too large.
    Short,
    /// A kind that this version does not know.
    Kind(u8),
    /// A hello of another version.
    Version(u8),
    /// Text that is not UTF-8, an ident of no or too many bytes, too many properties.
    Value,
}

impl From<Short> for Flaw {
    fn from(_: Short) -> Self {
        Flaw::Short
    }
}

/// Who somebody is, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// Whether it answers a hello.
    pub answer: bool,
    /// Its store, or its process if it has none.
    pub instance: [u8; 16],
    /// Its process.
    pub run: [u8; 16],
    /// Bytes of content and properties that it takes in one message.
    pub max_message: u64,
    /// Its name.
    pub ident: String,
}

/// Why somebody does not talk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refuse {
    /// Why; `None` says that there is no session, and a hello is needed.
    pub reason: Option<Refusal>,
}

/// A message.
#[derive(Debug, Clone, PartialEq)]
pub struct Data {
    /// Its place in the order of its priority.
    pub number: u64,
    /// How far before it the one is that has to come first; 0 if none.
    pub back: u64,
    /// The number in its id.
    pub id: u64,
    /// It may have been received by another process of the receiver.
    pub again: bool,
    /// Content and properties, priority, and whether it is persistent; no times.
    pub letter: Letter,
}

/// Messages that the receiver holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// The first.
    pub first: u64,
    /// Numbers, the first included.
    pub count: u64,
    /// How far before the first the one is that it waits for; 0 if it waits for none.
    pub back: u64,
}

/// What the receiver has of one priority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// Which.
    pub priority: u8,
    /// It has every message below, for good.
    pub next: u64,
    /// It holds these too, but may lose them.
    pub above: Vec<Range>,
}

/// What the receiver has, and what it takes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ack {
    /// Larger in later ones.
    pub count: u64,
    /// The token of the last probe; 0 if none.
    pub echo: u64,
    /// Messages that may be on their way beyond `held`.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What it has.
    pub held: Vec<Held>,
}

/// Anything that crosses the link.
#[derive(Debug, Clone, PartialEq)]
pub enum Packet {
    /// I am.
    Hello(Hello),
    /// Not with you.
    Refuse(Refuse),
    /// A message.
    Data(Data),
    /// I have.
    Ack(Ack),
    /// What have you?
    Probe(u64),
    /// I go.
    Bye,
}

impl Packet {
    /// Reads a packet of one or two frames.
    ///
    /// # Errors
    ///
    /// When it makes no sense.
    pub fn read(message: &Message) -> Result<Packet, Flaw> {
        let frames = message.frames();
        let (head, apart) = match frames {
            [head] => (head, None),
            [head, apart] => (head, Some(apart)),
            _ => return Err(Flaw::Value),
        };
        let mut reader = Reader::new(head);
        let kind = reader.byte()?;
        if apart.is_some() && kind != DATA {
            return Err(Flaw::Value);
        }
        match kind {
            HELLO => Ok(Packet::Hello(hello(reader)?)),
            REFUSE => Ok(Packet::Refuse(Refuse {
                reason: refusal(reader)?,
            })),
            DATA => Ok(Packet::Data(data(reader, head, apart)?)),
            ACK => Ok(Packet::Ack(ack(reader)?)),
            PROBE => Ok(Packet::Probe(reader.varint()?)),
            BYE => Ok(Packet::Bye),
            kind => Err(Flaw::Kind(kind)),
        }
    }

    /// Writes it.
    pub fn write(&self) -> Message {
        let mut out = Vec::with_capacity(64);
        match self {
            Packet::Hello(hello) => {
                out.extend_from_slice(&[HELLO, b'T', b'R', VERSION]);
                out.push(if hello.answer { ANSWER } else { 0 });
                out.extend_from_slice(&hello.instance);
                out.extend_from_slice(&hello.run);
                put_varint(&mut out, hello.max_message);
                put_run(&mut out, hello.ident.as_bytes());
            }
            Packet::Refuse(refuse) => out.extend_from_slice(&write_refusal(refuse.reason)),
            Packet::Data(data) => {
                return write_data(data.number, data.back, data.id, data.again, &data.letter);
            }
            Packet::Ack(ack) => write_ack(&mut out, ack),
            Packet::Probe(token) => {
                out.push(PROBE);
                put_varint(&mut out, *token);
            }
            Packet::Bye => out.push(BYE),
        }
        Message::from(Frame::from(out))
    }
}

/// A message as a packet, without cloning its letter.
pub(in crate::ext::reliable) fn write_data(
    number: u64,
    back: u64,
    id: u64,
    again: bool,
    letter: &Letter,
) -> Message {
    let apart = letter.content.len() > APART;
    let size = if apart { 0 } else { letter.content.len() };
    let mut out = Vec::with_capacity(size + 40);
    let mut flags = 0;
    flags |= if letter.persistent { PERSISTENT } else { 0 };
    flags |= if letter.priority > 0 { PRIORITY } else { 0 };
    flags |= if id != number { ID } else { 0 };
    let properties = !letter.properties.is_empty();
    flags |= if properties { PROPERTIES_FOLLOW } else { 0 };
    flags |= if apart { CONTENT_APART } else { 0 };
    flags |= if again { AGAIN } else { 0 };
    out.extend_from_slice(&[DATA, flags]);
    put_varint(&mut out, number);
    put_varint(&mut out, back);
    if letter.priority > 0 {
        out.push(letter.priority);
    }
    if id != number {
        put_varint(&mut out, id);
    }
    if properties {
        put_properties(&mut out, &letter.properties);
    }
    if !apart {
        out.extend_from_slice(&letter.content);
        return Message::from(Frame::from(out));
    }
    let mut message = Message::from(Frame::from(out));
    message.push_back(letter.content.clone());
    message
}

pub(super) fn put_properties(out: &mut Vec<u8>, properties: &Properties) {
    put_varint(out, properties.len() as u64);
    for (name, value) in properties {
        put_run(out, name.as_bytes());
        put_run(out, value);
    }
}

pub(super) fn properties(reader: &mut Reader<'_>) -> Result<Properties, Flaw> {
    let count = reader.varint()?;
    let (mut properties, mut bytes) = (Properties::new(), 0);
    for _ in 0..count {
        let name = std::str::from_utf8(reader.run()?).map_err(|_| Flaw::Value)?;
        let value = reader.run()?;
        bytes += name.len() + value.len();
        if bytes > PROPERTIES {
            return Err(Flaw::Value);
        }
        properties.insert(name.to_owned(), Bytes::copy_from_slice(value));
    }
    Ok(properties)
}

fn hello(mut reader: Reader<'_>) -> Result<Hello, Flaw> {
    if reader.take(2)? != b"TR" {
        return Err(Flaw::Value);
    }
    let version = reader.byte()?;
    if version != VERSION {
        return Err(Flaw::Version(version));
    }
    let flags = reader.byte()?;
    let (instance, run) = (reader.array()?, reader.array()?);
    let max_message = reader.varint()?;
    let ident = std::str::from_utf8(reader.run()?).map_err(|_| Flaw::Value)?;
    if ident.is_empty() || ident.len() > 255 {
        return Err(Flaw::Value);
    }
    // What follows is for later versions.
    Ok(Hello {
        answer: flags & ANSWER != 0,
        instance,
        run,
        max_message,
        ident: ident.to_owned(),
    })
}

fn write_refusal(reason: Option<Refusal>) -> [u8; 3] {
    let code = match reason {
        None => 0,
        Some(Refusal::Version { .. }) => 1,
        Some(Refusal::DuplicateIdent) => 2,
        Some(Refusal::OwnIdent) => 3,
        Some(Refusal::Replaced) => 4,
        Some(Refusal::TooManyPeers) => 5,
        Some(Refusal::Protocol) => 6,
        Some(Refusal::Other(code)) => code,
    };
    // The version, whatever the reason, so that every version can read it.
    [REFUSE, code, VERSION]
}

fn refusal(mut reader: Reader<'_>) -> Result<Option<Refusal>, Flaw> {
    let (code, theirs) = (reader.byte()?, reader.byte()?);
    Ok(Some(match code {
        0 => return Ok(None),
        1 => Refusal::Version { theirs },
        2 => Refusal::DuplicateIdent,
        3 => Refusal::OwnIdent,
        4 => Refusal::Replaced,
        5 => Refusal::TooManyPeers,
        6 => Refusal::Protocol,
        code => Refusal::Other(code),
    }))
}

fn data(mut reader: Reader<'_>, head: &Frame, apart: Option<&Frame>) -> Result<Data, Flaw> {
    let flags = reader.byte()?;
    let (number, back) = (reader.varint()?, reader.varint()?);
    let priority = match flags & PRIORITY {
        0 => 0,
        _ => reader.byte()?,
    };
    let id = match flags & ID {
        0 => number,
        _ => reader.varint()?,
    };
    let properties = match flags & PROPERTIES_FOLLOW {
        0 => Properties::new(),
        _ => properties(&mut reader)?,
    };
    let content = match (flags & CONTENT_APART != 0, apart) {
        (false, None) => head.slice(head.len() - reader.rest().len()..),
        (true, Some(apart)) if reader.is_empty() => apart.clone(),
        _ => return Err(Flaw::Value),
    };
    if back > number {
        return Err(Flaw::Value);
    }
    let mut letter = Letter::new(content).priority(priority);
    letter.properties = properties;
    letter.persistent = flags & PERSISTENT != 0;
    Ok(Data {
        number,
        back,
        id,
        again: flags & AGAIN != 0,
        letter,
    })
}

fn write_ack(out: &mut Vec<u8>, ack: &Ack) {
    out.push(ACK);
    for number in [ack.count, ack.echo, ack.messages, ack.bytes] {
        put_varint(out, number);
    }
    for held in &ack.held {
        out.push(held.priority);
        put_varint(out, held.next);
        put_varint(out, held.above.len() as u64);
        let mut end = held.next;
        for range in &held.above {
            put_varint(out, range.first - end);
            put_varint(out, range.count);
            put_varint(out, range.back);
            end = range.first + range.count;
        }
    }
}

fn ack(mut reader: Reader<'_>) -> Result<Ack, Flaw> {
    let mut ack = Ack {
        count: reader.varint()?,
        echo: reader.varint()?,
        messages: reader.varint()?,
        bytes: reader.varint()?,
        held: Vec::new(),
    };
    while !reader.is_empty() {
        let (priority, next) = (reader.byte()?, reader.varint()?);
        let ranges = reader.varint()?;
        let (mut end, mut above) = (next, Vec::new());
        for _ in 0..ranges {
            let first = end.checked_add(reader.varint()?).ok_or(Flaw::Value)?;
            let count = reader.varint()?;
            let back = reader.varint()?;
            end = first.checked_add(count).ok_or(Flaw::Value)?;
            if back > first {
                return Err(Flaw::Value);
            }
            above.push(Range { first, count, back });
        }
        ack.held.push(Held {
            priority,
            next,
            above,
        });
    }
    Ok(ack)
}
