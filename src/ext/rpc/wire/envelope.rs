//! The first frame of a message: what it is, of which call, and the value that it carries.
//!
//! ```text
//!   [0, id, method, params, header?]    call           [4, id, to, complete]        end of a stream of arguments
//!   [1, id, failure | nil, result]      answer         [5, id, to, count]           more items may come
//!   [2, method, params, header?]        signal         [6, id]                      the caller gives up
//!   [3, id, to, value]                  item           [7, version, instance]       who I am
//! ```
//! The first three are MessagePack-RPC's. `to` is 0 towards the one who was called, 1 towards the caller.

use std::ops::Range;

use rmp::encode;

use super::failure::Failure;
use super::header::Header;
use super::reader::{Reader, WireError};

/// The version of the format that is spoken here.
pub const VERSION: u64 = 1;
/// Bytes of the name of a running process.
const INSTANCE: usize = 16;

/// Towards whom something of a call goes; ids are given by the caller, so each direction has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one who was called.
    Callee = 0,
    /// The one who called.
    Caller = 1,
}

/// One envelope. Values are ranges of the bytes it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Envelope<'a> {
    /// A method is called.
    Call {
        /// The caller's number for it.
        id: u64,
        /// `Service.method`.
        method: &'a str,
        /// An array, or `bin` with another codec.
        params: Range<usize>,
        /// What goes with it.
        header: Header<'a>,
    },
    /// It is answered.
    Answer {
        /// Of which call.
        id: u64,
        /// Where the result is, or what went wrong.
        outcome: Result<Range<usize>, Failure>,
    },
    /// A call that is not answered.
    Signal {
        /// `Service.method`.
        method: &'a str,
        /// An array, or `bin` with another codec.
        params: Range<usize>,
        /// What goes with it.
        header: Header<'a>,
    },
    /// One item of a stream.
    Item {
        /// Of which call.
        id: u64,
        /// An argument or part of the result.
        to: Side,
        /// The item.
        value: Range<usize>,
    },
    /// No item follows. A stream of results ends with the answer instead.
    End {
        /// Of which call.
        id: u64,
        /// Always towards the callee.
        to: Side,
        /// Whether these were all, or the sender gave up.
        complete: bool,
    },
    /// So many more items may be sent.
    Credit {
        /// Of which call.
        id: u64,
        /// The one who may send them.
        to: Side,
        /// How many.
        count: u32,
    },
    /// The caller does not wait any more.
    Cancel {
        /// For which call.
        id: u64,
    },
    /// What is sent first on a link, and answered.
    Hello {
        /// [`VERSION`].
        version: u64,
        /// Random, another one each time a process starts.
        instance: [u8; INSTANCE],
    },
}

impl<'a> Envelope<'a> {
    /// Reads one; the bytes are those of a whole frame.
    ///
    /// # Errors
    ///
    /// What is wrong with them, in which the peer is to blame.
    pub fn read(bytes: &'a [u8]) -> Result<Self, WireError> {
        let mut reader = Reader::new(bytes);
        let mut parts = reader.array()?;
        let number = reader.uint()?;
        let wanted = match number {
            0 | 3 | 4 | 5 | 1 => 4,
            2 | 7 => 3,
            6 => 2,
            other => return Err(WireError::UnknownType(other)),
        };
        parts = parts.checked_sub(wanted).ok_or(WireError::Shape)?;
        let envelope = match number {
            0 => Envelope::Call {
                id: reader.uint()?,
                method: reader.text()?,
                params: reader.value()?,
                header: header(&mut reader, &mut parts)?,
            },
            1 => {
                let id = reader.uint()?;
                let failure = Failure::read(&mut reader)?;
                let result = reader.value()?;
                Envelope::Answer {
                    id,
                    outcome: failure.map_or(Ok(result), Err),
                }
            }
            2 => Envelope::Signal {
                method: reader.text()?,
                params: reader.value()?,
                header: header(&mut reader, &mut parts)?,
            },
            3 => Envelope::Item {
                id: reader.uint()?,
                to: side(&mut reader)?,
                value: reader.value()?,
            },
            4 => Envelope::End {
                id: reader.uint()?,
                to: side(&mut reader)?,
                complete: reader.bool()?,
            },
            5 => Envelope::Credit {
                id: reader.uint()?,
                to: side(&mut reader)?,
                count: u32::try_from(reader.uint()?).unwrap_or(u32::MAX),
            },
            6 => Envelope::Cancel { id: reader.uint()? },
            _ => Envelope::Hello {
                version: reader.uint()?,
                instance: reader.binary()?.try_into().map_err(|_| WireError::Shape)?,
            },
        };
        // A later version may add something behind.
        for _ in 0..parts {
            reader.value()?;
        }
        match reader.is_at_end() {
            true => Ok(envelope),
            false => Err(WireError::Trailing),
        }
    }

    /// A call with arguments that are encoded already.
    pub fn write_call(id: u64, method: &str, params: &[u8], header: &Header<'_>) -> Vec<u8> {
        let mut out = start(
            4 + u32::from(!header.is_empty()),
            0,
            params.len() + method.len(),
        );
        uint(&mut out, id);
        let _ = encode::write_str(&mut out, method);
        out.extend_from_slice(params);
        if !header.is_empty() {
            header.write(&mut out);
        }
        out
    }

    /// A signal with arguments that are encoded already.
    pub fn write_signal(method: &str, params: &[u8], header: &Header<'_>) -> Vec<u8> {
        let mut out = start(
            3 + u32::from(!header.is_empty()),
            2,
            params.len() + method.len(),
        );
        let _ = encode::write_str(&mut out, method);
        out.extend_from_slice(params);
        if !header.is_empty() {
            header.write(&mut out);
        }
        out
    }

    /// An answer; a result is encoded already.
    pub fn write_answer(id: u64, outcome: Result<&[u8], &Failure>) -> Vec<u8> {
        let mut out = start(4, 1, outcome.map_or(64, <[u8]>::len));
        uint(&mut out, id);
        match outcome {
            Ok(result) => {
                let _ = encode::write_nil(&mut out);
                out.extend_from_slice(result);
            }
            Err(failure) => {
                failure.write(&mut out);
                let _ = encode::write_nil(&mut out);
            }
        }
        out
    }

    /// An item that is encoded already.
    pub fn write_item(id: u64, to: Side, value: &[u8]) -> Vec<u8> {
        let mut out = start(4, 3, value.len());
        uint(&mut out, id);
        uint(&mut out, to as u64);
        out.extend_from_slice(value);
        out
    }

    /// The end of a stream of arguments.
    pub fn write_end(id: u64, complete: bool) -> Vec<u8> {
        let mut out = start(4, 4, 0);
        uint(&mut out, id);
        uint(&mut out, Side::Callee as u64);
        let _ = encode::write_bool(&mut out, complete);
        out
    }

    /// Room for more items.
    pub fn write_credit(id: u64, to: Side, count: u32) -> Vec<u8> {
        let mut out = start(4, 5, 0);
        uint(&mut out, id);
        uint(&mut out, to as u64);
        uint(&mut out, u64::from(count));
        out
    }

    /// The caller gives up.
    pub fn write_cancel(id: u64) -> Vec<u8> {
        let mut out = start(2, 6, 0);
        uint(&mut out, id);
        out
    }

    /// Who I am.
    pub fn write_hello(instance: &[u8; INSTANCE]) -> Vec<u8> {
        let mut out = start(3, 7, INSTANCE);
        uint(&mut out, VERSION);
        let _ = encode::write_bin(&mut out, instance);
        out
    }
}

fn header<'a>(reader: &mut Reader<'a>, parts: &mut usize) -> Result<Header<'a>, WireError> {
    if *parts == 0 {
        return Ok(Header::default());
    }
    *parts -= 1;
    Header::read(reader)
}

fn side(reader: &mut Reader<'_>) -> Result<Side, WireError> {
    match reader.uint()? {
        0 => Ok(Side::Callee),
        1 => Ok(Side::Caller),
        _ => Err(WireError::Shape),
    }
}

fn start(parts: u32, number: u64, body: usize) -> Vec<u8> {
    // The most that surrounds the body besides a header.
    let mut out = Vec::with_capacity(body + 48);
    let _ = encode::write_array_len(&mut out, parts);
    uint(&mut out, number);
    out
}

fn uint(out: &mut Vec<u8>, value: u64) {
    // Writing to memory does not fail.
    let _ = encode::write_uint(out, value);
}
