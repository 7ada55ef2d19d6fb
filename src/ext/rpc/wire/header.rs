//! What goes with a call besides its arguments: a map with letters as keys (not every
//! reader of MessagePack takes numbers there).

use std::time::Duration;

use rmp::encode;

use super::reader::{Reader, WireError};

const REMAINING: &str = "d";
const ANSWERED: &str = "a";
const WINDOW: &str = "w";
const TRACE: &str = "t";
const CODEC: &str = "c";

/// What goes with a call. Keys that are not known are passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header<'a> {
    /// `d`: after this time nobody waits for the answer any more (a call), or it is not worth doing (a signal).
    /// Microseconds on the wire, so that clocks need not agree.
    pub remaining: Option<Duration>,
    /// `a`: the caller has the answers of all calls below this number; they need not be remembered.
    pub answered: Option<u64>,
    /// `w`: how many items of the result the caller takes before it says more.
    pub window: Option<u32>,
    /// `t`: a W3C `traceparent`.
    pub trace: Option<&'a str>,
    /// `c`: how arguments and result are encoded; nothing means MessagePack.
    pub codec: Option<&'a str>,
}

impl<'a> Header<'a> {
    pub(super) fn is_empty(&self) -> bool {
        *self == Header::default()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let numbers = [
            (REMAINING, self.remaining.map(micros)),
            (ANSWERED, self.answered),
            (WINDOW, self.window.map(u64::from)),
        ];
        let texts = [(TRACE, self.trace), (CODEC, self.codec)];
        let count = numbers.iter().filter(|(_, value)| value.is_some()).count()
            + texts.iter().filter(|(_, value)| value.is_some()).count();
        // Writing to memory does not fail.
        let _ = encode::write_map_len(out, count as u32);
        for (key, value) in numbers {
            if let Some(value) = value {
                let _ = encode::write_str(out, key);
                let _ = encode::write_uint(out, value);
            }
        }
        for (key, value) in texts {
            if let Some(value) = value {
                let _ = encode::write_str(out, key);
                let _ = encode::write_str(out, value);
            }
        }
    }

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, WireError> {
        let mut header = Header::default();
        for _ in 0..reader.map()? {
            match reader.text()? {
                REMAINING => header.remaining = Some(Duration::from_micros(reader.uint()?)),
                ANSWERED => header.answered = Some(reader.uint()?),
                WINDOW => {
                    header.window = Some(u32::try_from(reader.uint()?).unwrap_or(u32::MAX));
                }
                TRACE => header.trace = Some(reader.text()?),
                CODEC => header.codec = Some(reader.text()?),
                _ => {
                    reader.value()?;
                }
            }
        }
        Ok(header)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
