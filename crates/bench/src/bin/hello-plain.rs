//! The floor of `hello-fdstore`: the same program without a store.

use std::io::Write as _;
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("hello from {}", listener.local_addr()?);
    for connection in listener.incoming() {
        connection?.write_all(b"hello\n")?;
    }
    Ok(())
}
