//! The answer that is no result: `[code, kind, message, [cause, ..]]`.

use rmp::encode;

use super::reader::{Reader, WireError};

/// What kind of failure an answer tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Code {
    /// The method returned an error of its own.
    Application = 1,
    /// Nobody serves it here.
    NoSuchService = 2,
    /// The service has no such method.
    NoSuchMethod = 3,
    /// The arguments are not those of the method.
    BadArguments = 4,
    /// Too many calls are running; it did not run.
    Overloaded = 5,
    /// The time was over while it ran.
    Timeout = 6,
    /// The caller took it back.
    Cancelled = 7,
    /// The method panicked.
    Panicked = 8,
    /// It ran, or runs, and the answer is no longer there.
    Forgotten = 9,
    /// The result cannot be encoded.
    BadResult = 10,
    /// Not understood, or not allowed here.
    Protocol = 11,
}

impl Code {
    fn of(number: u64) -> Code {
        match number {
            2 => Code::NoSuchService,
            3 => Code::NoSuchMethod,
            4 => Code::BadArguments,
            5 => Code::Overloaded,
            6 => Code::Timeout,
            7 => Code::Cancelled,
            8 => Code::Panicked,
            9 => Code::Forgotten,
            10 => Code::BadResult,
            11 => Code::Protocol,
            // What a later version adds is somebody's error at least.
            _ => Code::Application,
        }
    }
}

/// A failure as it crosses the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub code: Code,
    /// The type of an application's error, as the server names it; else empty.
    pub kind: String,
    /// For people.
    pub message: String,
    /// What it was caused by, the nearest first.
    pub chain: Vec<String>,
}

impl Failure {
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        // Writing to memory does not fail.
        let _ = encode::write_array_len(out, 4);
        let _ = encode::write_uint(out, self.code as u64);
        let _ = encode::write_str(out, &self.kind);
        let _ = encode::write_str(out, &self.message);
        let _ = encode::write_array_len(out, self.chain.len() as u32);
        for cause in &self.chain {
            let _ = encode::write_str(out, cause);
        }
    }

    /// `None` for `nil`. A text alone is the message of an application's error, as plain MessagePack-RPC has it.
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        if reader.nil() {
            return Ok(None);
        }
        if reader.is_text() {
            return Ok(Some(Failure {
                code: Code::Application,
                kind: String::new(),
                message: reader.text()?.to_owned(),
                chain: Vec::new(),
            }));
        }
        let parts = reader.array()?;
        if parts < 3 {
            return Err(WireError::Shape);
        }
        let mut failure = Failure {
            code: Code::of(reader.uint()?),
            kind: reader.text()?.to_owned(),
            message: reader.text()?.to_owned(),
            chain: Vec::new(),
        };
        if parts > 3 {
            for _ in 0..reader.array()? {
                failure.chain.push(reader.text()?.to_owned());
            }
        }
        for _ in 4..parts {
            reader.value()?;
        }
        Ok(Some(failure))
    }
}
