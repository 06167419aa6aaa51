//! A TCP and UDP echo service that a restart of it does not interrupt.
//!
//! Every accepted connection goes into the fd store under `conn-N`, and a memory file named `state` beside them holds
//! the counters and the bytes that were read but not yet sent. A new start takes all of it back and goes on in the
//! middle of the stream. One thread, one poll loop; SIGTERM ends it between two steps, so that no byte is lost then.
//! (A SIGKILL between reading and sending can lose what was just read; the counters in `state` then show it.)

mod connection;
mod server;
mod state;

use softboot_programs::error::{Error, exit};

fn main() -> std::process::ExitCode {
    exit("echo-store", run())
}

fn run() -> Result<(), Error> {
    server::Server::take_over()?.serve()
}
