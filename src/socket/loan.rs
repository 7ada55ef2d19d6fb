//! Buffers in the memory that a socket shares with its local peers.

use super::handle::Socket;
use super::kinds::Sends;
use crate::transport::{Loan, LoanExhausted};

impl<K: Sends> Socket<K> {
    /// A buffer of `len` bytes to write a message in, which local peers then read without a copy having been made.
    ///
    /// Worthwhile from some 4 KiB on; shorter payloads are copied all the same. Peers that are not local, or not
    /// of this library, get the message as any other. Where there is no shared memory (other systems, or switched
    /// off) the buffer is an ordinary one.
    ///
    /// ```
    /// use taipan::{Context, Pull, Push};
    ///
    /// let context = Context::new();
    /// let pull = Pull::new(&context);
    /// let push = Push::new(&context);
    /// push.connect(pull.bind("ipc://*")?)?;
    ///
    /// let mut frame = push.loan(1024 * 1024)?;
    /// frame.fill(7);
    /// push.blocking_send(frame)?;
    /// assert!(pull.blocking_recv()?.first().iter().all(|byte| *byte == 7));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`LoanExhausted`] with [`PoolExhausted::Wait`](crate::config::PoolExhausted::Wait), as long as peers keep too
    /// much of the pool. By default the buffer is then an ordinary one.
    pub fn loan(&self, len: usize) -> Result<Loan, LoanExhausted> {
        self.core().loan(len)
    }
}
