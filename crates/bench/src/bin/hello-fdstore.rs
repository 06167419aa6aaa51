//! The smallest daemon that embeds the store: its size is a figure.

use std::io::Write as _;
use std::net::TcpListener;

use fdstore::{Program, Startup};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let mut startup = Startup::from_env("hello", None)?;
    let listener: TcpListener = startup.socket("hello", || TcpListener::bind("127.0.0.1:0"))?;
    startup.ready()?;
    println!("hello from {}", listener.local_addr()?);
    for connection in listener.incoming() {
        connection?.write_all(b"hello\n")?;
        // After each client it begins anew.
        eprintln!("{}", startup.store.handoff()?.exec_program(&Program::current()?));
    }
    Ok(())
}
