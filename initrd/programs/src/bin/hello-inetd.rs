//! An inetd-style service: the connection is standard input and output. Says who it is and whom it talks to, and ends.

use std::io::Write;

use rustix::net::getpeername;
use softboot_programs::error::{Context, Error, exit};

fn main() -> std::process::ExitCode {
    exit("hello-inetd", run())
}

fn run() -> Result<(), Error> {
    let peer = match (std::env::var("REMOTE_ADDR"), std::env::var("REMOTE_PORT")) {
        (Ok(address), Ok(port)) => format!("{address} port {port}"),
        (Ok(address), Err(_)) => address,
        // A local client that is not bound has no address (semantics 1.1).
        (Err(_), _) => {
            getpeername(std::io::stdin()).doing("asking for the peer of standard input")?;
            "a local client".to_owned()
        }
    };
    let mut output = std::io::stdout().lock();
    writeln!(output, "hello from {}, you are {peer}", std::process::id()).doing("answering")?;
    output.flush().doing("answering")
}
