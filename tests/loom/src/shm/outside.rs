//! Stand-ins for what the explored files touch of the system: a bell that one can sleep at, and chunks.

pub(crate) mod bell {
    //! A bell that sleeps and wakes under loom. One that is never rung is a deadlock, which loom reports.

    use loom::sync::{Condvar, Mutex};

    pub(crate) enum Signal {
        Bell,
    }

    #[derive(Default)]
    struct Bytes {
        unheard: u32,
        sent: u32,
    }

    #[derive(Default)]
    pub(crate) struct Bell {
        bytes: Mutex<Bytes>,
        came: Condvar,
    }

    impl Bell {
        pub(crate) fn send(&self, _signal: Signal) {
            let mut bytes = self.bytes.lock().expect("nobody panics with it");
            bytes.unheard += 1;
            bytes.sent += 1;
            self.came.notify_one();
        }

        /// Sleeps until it rings, or has rung, and takes in all of it.
        pub(crate) fn wait(&self) {
            let mut bytes = self.bytes.lock().expect("nobody panics with it");
            while bytes.unheard == 0 {
                bytes = self.came.wait(bytes).expect("nobody panics with it");
            }
            bytes.unheard = 0;
        }

        /// How often it was rung in all.
        pub(crate) fn sent(&self) -> u32 {
            self.bytes.lock().expect("nobody panics with it").sent
        }
    }
}

pub(crate) mod error {
    //! The error of the explored files, without the ones of the system.

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) struct Violation(pub(crate) &'static str);
}

pub(crate) mod pool {
    //! A chunk whose only content is who touches it when.

    use loom::cell::UnsafeCell;
    use loom::sync::Arc;

    #[derive(Clone)]
    pub(crate) struct PeerSlice(Arc<UnsafeCell<()>>);

    impl PeerSlice {
        pub(crate) fn model() -> Self {
            PeerSlice(Arc::new(UnsafeCell::new(())))
        }

        /// Read by the borrower.
        ///
        /// # Safety
        /// None is needed: no memory is touched. It is said to be unsafe because the real one is.
        pub(crate) unsafe fn as_bytes(&self) -> &[u8] {
            self.0.with(|_place| &[])
        }

        /// Written by the owner; loom reports it if the borrower may still read.
        pub(crate) fn use_again(&self) {
            self.0.with_mut(|_place| ());
        }
    }
}
