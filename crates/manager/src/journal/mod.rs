//! Ready for a crash at any moment: the journal of what PID 1 does, and how the next program goes on from it.
//!
//! The engine is a function of its events, so the journal need not hold its state, only what it was told and when:
//!
//! | moment | what is written first |
//! |---|---|
//! | an event comes into the queue | the event, with everything of the manager that has changed |
//! | the engine is told the oldest event | the clocks |
//! | an action of the step is done | how many are, with everything of the manager that has changed |
//! | a client is read from or written to | that it is; its state at the end of the turn |
//!
//! After a crash ([`softboot_sys::crash`]) the same program runs again in the same process. It tells a copy of the
//! engine the same events at the same clocks, which leaves it where it was, does the actions that were not done, and
//! then looks at what is real: processes, cgroups, sockets (design, "Crash resume"). A torn last record is as if its
//! moment had not come. When the journal has grown to half its base, a copy of everything becomes the new base.

mod again;
mod go_on;
mod image;
mod record;
mod replay;
mod resume;
mod tries;
mod write;

pub(crate) use again::Again;
pub(crate) use resume::{notify_socket, resume};
pub(crate) use tries::{TRIES, Tries, Trust};
pub(crate) use write::{Inert, Listed, Recorder, Start, VARIABLE};
