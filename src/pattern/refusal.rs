//! A small helper around what a pattern refuses.
//!
//! Not the types: those belong to the trait's file.

use super::{Control, ControlRefusal};
use crate::config::Options;

impl Control<'_> {
    /// For patterns that understand changed options and nothing else.
    pub(in crate::pattern) fn only_options(
        self,
        apply: impl FnOnce(&Options),
    ) -> Result<(), ControlRefusal> {
        match self {
            Control::Options(options) => {
                apply(options);
                Ok(())
            }
            Control::Subscribe(_) | Control::Unsubscribe(_) => Err(ControlRefusal::NotSupported),
        }
    }
}
