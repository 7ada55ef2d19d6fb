//! Waiting until a socket can send or receive, without doing it.

use std::future::poll_fn;
use std::task::Poll;

use super::core::{Direction, Interest, Slot};
use super::handle::Socket;
use super::kinds::Kind;
use super::send::breathe;

impl<K: Kind> Socket<K> {
    /// Waits until receiving or sending is possible, and says which of `interest` is: [`Socket::ready`] for async
    /// code, as [`Poller`](crate::Poller) is for threads. Cancel safe. Another caller may be faster, so try, and wait
    /// again. A closed socket counts as ready for all that was asked.
    ///
    /// ```
    /// # use taipan::*;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # runtime.block_on(async {
    /// # let context = Context::new();
    /// # let pull = Pull::new(&context);
    /// # pull.bind("inproc://a")?;
    /// # let push = Push::new(&context);
    /// # push.connect("inproc://a")?;
    /// push.wait_ready(Interest::WRITABLE).await;
    /// push.try_send("hello")?;
    /// # pull.try_recv()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn wait_ready(&self, interest: Interest) -> Interest {
        let core = self.core();
        breathe(core).await;
        let (mut sends, mut receives) = (Slot::default(), Slot::default());
        poll_fn(|cx| {
            loop {
                let ready = core.poll_ready(interest);
                if !ready.is_empty() || interest.is_empty() {
                    // We wait no longer, so that others are woken and not we.
                    (sends, receives) = (Slot::default(), Slot::default());
                    core.pass_on(interest);
                    return Poll::Ready(ready);
                }
                let mut again = interest.is_readable()
                    && core
                        .poll_wait(cx, &mut receives, Direction::Recv)
                        .is_ready();
                again |= interest.is_writable()
                    && core.poll_wait(cx, &mut sends, Direction::Send).is_ready();
                if !again {
                    return Poll::Pending;
                }
            }
        })
        .await
    }
}
