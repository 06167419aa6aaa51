//! Closing a descriptor may block: a network file system writes back, a socket lingers. A thread does it.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};

pub(super) struct Closer {
    queue: Sender<OwnedFd>,
    waiting: Arc<AtomicUsize>,
}

impl Closer {
    pub(super) fn start() -> io::Result<Closer> {
        let (queue, closing) = channel::<OwnedFd>();
        let waiting = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&waiting);
        std::thread::Builder::new()
            .name("closer".to_owned())
            .spawn(move || {
                for fd in closing {
                    drop(fd);
                    counter.fetch_sub(1, Ordering::Relaxed);
                }
            })?;
        Ok(Closer { queue, waiting })
    }

    /// Closes these, soon.
    pub(super) fn close(&self, fds: impl IntoIterator<Item = OwnedFd>) {
        for fd in fds {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // If the thread were gone, the descriptor would come back in the error and be closed here.
            if self.queue.send(fd).is_err() {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// How many are not closed yet. They count as stored: somebody whose closing hangs cannot make us hold more than
    /// the limit.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}
