//! The same on tokio: an HTTP server that replaces itself without losing a request.
//!
//! The library needs no runtime. An upgrade has two descriptors to wait for; here a blocking task waits for it.
//!
//! ```sh
//! cargo run -p fdstore --example http_tokio 127.0.0.1:8080
//! kill -HUP PID
//! ```

use std::process::Command;
use std::time::{Duration, Instant};

use fdstore::upgrade::{Upgrade, UpgradeError, Upgraded};
use fdstore::{FdStore, Program, Startup};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    // Before the runtime opens descriptors of its own.
    let mut startup = Startup::from_env("http", Instant::now().checked_add(Duration::from_secs(10)))?;
    let listener: std::net::TcpListener = startup.socket("http", || std::net::TcpListener::bind(&address))?;
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    runtime.block_on(serve(startup, listener))
}

async fn serve(mut startup: Startup, listener: std::net::TcpListener) -> Result<(), Failure> {
    let listener = TcpListener::from_std(listener)?;
    let mut hangups = signal(SignalKind::hangup())?;
    startup.ready()?;
    println!(
        "{} serves {}, {}",
        std::process::id(),
        listener.local_addr()?,
        startup.origin
    );
    let mut connections = JoinSet::new();
    let mut upgrade: Option<JoinHandle<(Result<Upgraded, UpgradeError>, FdStore)>> = None;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                connections.spawn(answer(accepted?.0));
            }
            _ = hangups.recv(), if upgrade.is_none() => {
                // Whatever file stands now where this program was started from.
                let mut command = Command::new(Program::current()?.path());
                command.args(std::env::args_os().skip(1));
                let started = match Upgrade::start(command, &startup.store) {
                    Ok(started) => started,
                    Err(error) => {
                        eprintln!("going on as before: {error}");
                        continue;
                    }
                };
                // The store goes along and comes back: the task needs it while it sends.
                let store = std::mem::take(&mut startup.store);
                upgrade = Some(tokio::task::spawn_blocking(move || {
                    let deadline = Instant::now().checked_add(Duration::from_secs(30));
                    (started.wait(&store, deadline), store)
                }));
            }
            done = async {
                match upgrade.as_mut() {
                    Some(task) => task.await.ok(),
                    None => None,
                }
            }, if upgrade.is_some() => {
                let (result, store) = done.ok_or("the task that waits has failed")?;
                startup.store = store;
                upgrade = None;
                match result {
                    Ok(_) => break,
                    Err(error) => eprintln!("going on as before: {error}"),
                }
            }
        }
    }
    // What has been accepted is answered.
    drop(listener);
    while connections.join_next().await.is_some() {}
    Ok(())
}

/// Reads a request's head and answers it. A client that is gone is no concern of the others.
async fn answer(connection: TcpStream) {
    let _ = try_answer(connection).await;
}

async fn try_answer(connection: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    while reader.read_line(&mut line).await? > 2 {
        line.clear();
    }
    let body = format!("{}\n", std::process::id());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut connection = reader.into_inner();
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body.as_bytes()).await?;
    connection.shutdown().await
}
