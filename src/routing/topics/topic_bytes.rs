//! The bytes of a stored topic: short ones lie in place, so that a comparison touches no other memory.
//!
//! Not a general small vector: a topic never changes. 24 bytes whatever it holds.

const INLINE: usize = 22;

#[derive(Debug)]
pub(super) struct TopicBytes(Kind);

#[derive(Debug)]
enum Kind {
    Inline { len: u8, bytes: [u8; INLINE] },
    Boxed(Box<[u8]>),
}

impl TopicBytes {
    pub(super) fn new(topic: &[u8]) -> Self {
        if topic.len() > INLINE {
            return Self(Kind::Boxed(topic.into()));
        }
        let mut bytes = [0; INLINE];
        bytes[..topic.len()].copy_from_slice(topic);
        Self(Kind::Inline {
            len: topic.len() as u8,
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
            assert_eq!(TopicBytes::new(&bytes[..n]).as_slice(), &bytes[..n]);
        }
        assert_eq!(size_of::<TopicBytes>(), 24);
    }
}
