//! Names of messengers and of messages.

use std::error::Error;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The name of a messenger: UTF-8, 1 to 255 bytes. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ident(Arc<str>);

/// An ident that is empty or longer than 255 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentError {
    /// Its length in bytes.
    pub len: usize,
}

impl Ident {
    /// Checks the length.
    ///
    /// # Errors
    ///
    /// When it is empty or longer than 255 bytes.
    pub fn new(name: &str) -> Result<Self, IdentError> {
        match name.len() {
            1..=255 => Ok(Ident(name.into())),
            len => Err(IdentError { len }),
        }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Ident {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for Ident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&*self.0, f)
    }
}

impl PartialEq<str> for Ident {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Ident {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

impl fmt::Display for IdentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an ident has 1 to 255 bytes, not {}", self.len)
    }
}

impl Error for IdentError {}

/// What tells a message from all others: the sender's instance (its store, or its process if it has none) and a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId {
    /// The instance of the sender.
    pub instance: [u8; 16],
    /// The number within it. Later messages have larger ones.
    pub number: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.instance {
            write!(f, "{byte:02x}")?;
        }
        write!(f, "-{}", self.number)
    }
}

impl fmt::Debug for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
