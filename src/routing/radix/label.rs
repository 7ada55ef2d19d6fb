//! The bytes on an edge of the radix tree: short ones lie in the node itself, so that a walk touches less memory.
//!
//! Not a general small vector: a label never changes, it is replaced. 24 bytes whatever it holds.

const INLINE: usize = 22;

#[derive(Debug, Clone)]
pub(super) struct Label(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Inline { len: u8, bytes: [u8; INLINE] },
    Boxed(Box<[u8]>),
}

impl Default for Label {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Label {
    pub(super) fn new(label: &[u8]) -> Self {
        Self::joined(label, &[])
    }

    /// The label of a node that absorbs the one above it.
    pub(super) fn joined(head: &[u8], tail: &[u8]) -> Self {
        let len = head.len() + tail.len();
        if len > INLINE {
            return Self(Kind::Boxed([head, tail].concat().into_boxed_slice()));
        }
        let mut bytes = [0; INLINE];
        bytes[..head.len()].copy_from_slice(head);
        bytes[head.len()..len].copy_from_slice(tail);
        Self(Kind::Inline {
            len: len as u8,
            bytes,
        })
    }

    #[inline]
    pub(super) fn as_slice(&self) -> &[u8] {
        match &self.0 {
            Kind::Inline { len, bytes } => &bytes[..usize::from(*len).min(INLINE)],
            Kind::Boxed(bytes) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_it_was_given_on_both_sides_of_the_inline_limit() {
        let bytes: Vec<u8> = (0..40).collect();
        for n in 0..=40 {
            assert_eq!(Label::new(&bytes[..n]).as_slice(), &bytes[..n]);
            assert_eq!(
                Label::joined(&bytes[..n], &bytes[n..]).as_slice(),
                &bytes[..]
            );
        }
        assert_eq!(size_of::<Label>(), 24);
    }
}
