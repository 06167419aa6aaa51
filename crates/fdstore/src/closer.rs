//! Closing without waiting.
//!
//! Closing a descriptor may block: a network file system writes back, a socket lingers. Threads do it; a few, so that
//! one that hangs does not keep what others have let go.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

const THREADS: usize = 4;

/// Closes what is given to it, on threads of its own. For programs that must not wait: a manager, a holder, an event
/// loop. Dropped, it leaves its threads to finish what they have.
#[derive(Debug)]
pub struct Closer {
    queue: Sender<OwnedFd>,
    waiting: Arc<AtomicUsize>,
}

impl Closer {
    /// Starts the threads. Fails where no thread can be made.
    pub fn start() -> io::Result<Closer> {
        let (queue, closing) = channel();
        let closing = Arc::new(Mutex::new(closing));
        let waiting = Arc::new(AtomicUsize::new(0));
        for number in 0..THREADS {
            let (closing, waiting) = (Arc::clone(&closing), Arc::clone(&waiting));
            std::thread::Builder::new()
                .name(format!("closer-{number}"))
                .spawn(move || {
                    while let Some(fd) = next(&closing) {
                        drop(fd);
                        waiting.fetch_sub(1, Ordering::Relaxed);
                    }
                })?;
        }
        Ok(Closer { queue, waiting })
    }

    /// Closes these, soon.
    pub fn close(&self, fds: impl IntoIterator<Item = OwnedFd>) {
        for fd in fds {
            self.waiting.fetch_add(1, Ordering::Relaxed);
            // If the threads were gone, the descriptor would come back in the error and be closed here.
            if self.queue.send(fd).is_err() {
                self.waiting.fetch_sub(1, Ordering::Relaxed);
            }
        }
    }

    /// How many are not closed yet. They count as stored: somebody whose closing hangs cannot make us hold more than
    /// the limit.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// The next one; only one thread waits for it, the others for that thread. `None` when there will be no more.
fn next(closing: &Mutex<Receiver<OwnedFd>>) -> Option<OwnedFd> {
    let queue = closing.lock().unwrap_or_else(PoisonError::into_inner);
    queue.recv().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn one_that_hangs_does_not_hold_the_others() {
        let closer = Closer::start().unwrap();
        // Closing waits for the peer to take the data, which it never does: SO_LINGER (socket(7)).
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let hanging = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (_peer, _) = listener.accept().unwrap();
        let minute = Some(std::time::Duration::from_secs(60));
        rustix::net::sockopt::set_socket_linger(&hanging, minute).unwrap();
        let full = vec![0; 1 << 20];
        while rustix::net::send(&hanging, &full, rustix::net::SendFlags::DONTWAIT).is_ok() {}
        let (mut reader, writer) = std::io::pipe().unwrap();
        closer.close([hanging.into(), writer.into()]);
        assert_eq!(reader.read(&mut [0]).unwrap(), 0, "the pipe's end is closed");
        assert!(closer.waiting() >= 1);
    }
}
