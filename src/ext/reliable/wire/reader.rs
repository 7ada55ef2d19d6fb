//! Numbers and runs of bytes.

/// What could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ext::reliable) struct Short;

/// Reads from the front of a slice.
#[derive(Debug, Clone, Copy)]
pub(in crate::ext::reliable) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(in crate::ext::reliable) fn new(bytes: &'a [u8]) -> Self {
        Reader(bytes)
    }

    pub(in crate::ext::reliable) fn rest(self) -> &'a [u8] {
        self.0
    }

    pub(in crate::ext::reliable) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(in crate::ext::reliable) fn byte(&mut self) -> Result<u8, Short> {
        let (first, rest) = self.0.split_first().ok_or(Short)?;
        self.0 = rest;
        Ok(*first)
    }

    pub(in crate::ext::reliable) fn take(&mut self, len: usize) -> Result<&'a [u8], Short> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Short)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(in crate::ext::reliable) fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Short)?;
        self.0 = rest;
        Ok(*taken)
    }

    /// Seven bits a byte, the least significant first; the top bit says that more follow.
    pub(in crate::ext::reliable) fn varint(&mut self) -> Result<u64, Short> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(Short);
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Short)
    }

    /// A run of bytes with its length before it.
    pub(in crate::ext::reliable) fn run(&mut self) -> Result<&'a [u8], Short> {
        let len = self.varint()?;
        self.take(usize::try_from(len).map_err(|_| Short)?)
    }
}

/// Writes what [`Reader::varint`] reads.
pub(in crate::ext::reliable) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Writes what [`Reader::run`] reads.
pub(in crate::ext::reliable) fn put_run(out: &mut Vec<u8>, run: &[u8]) {
    put_varint(out, run.len() as u64);
    out.extend_from_slice(run);
}
