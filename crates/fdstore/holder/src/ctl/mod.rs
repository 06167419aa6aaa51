//! fdstorectl: the command line.
//!
//! | status | meaning |
//! |---|---|
//! | 0 | done |
//! | 1 | refused: no rule allows it, a limit is reached, a parameter is wrong |
//! | 2 | usage |
//! | 3 | fdstored cannot be reached, or went away |
//! | 4 | there is no such entry |
//! | 5 | something else failed |
//! | 126, 127 | `exec`: the command cannot be executed, is not there |
//!
//! `exec` ends with the command's own status.

mod cli;
mod connection;
mod error;
mod exec;
mod get;
mod list;
mod output;
mod put;
mod table;
mod watch;

pub use cli::Cli;
pub use error::{CtlError, exit};

use cli::Action;
use connection::Connection;
use output::{Output, count};

use crate::api::{RemoveReply, Request, UpgradeReply};

/// Where fdstored listens.
pub const DEFAULT_SOCKET: &str = "/run/fdstored/varlink";
/// Names another socket.
pub const SOCKET_VARIABLE: &str = "FDSTORED_SOCKET";

/// Does what was typed. `exec` comes back only with an error.
pub fn run(cli: Cli) -> Result<(), CtlError> {
    let out = Output::new(cli.json);
    let owner = cli.owner.as_deref().map(connection::owner).transpose()?;
    match cli.action {
        // These first: they take descriptors that this program was started with.
        Action::Put(ref put) => put::run(&cli, put, owner, &out),
        Action::Exec(ref exec) => exec::run(&cli, exec, owner),
        Action::List(ref list) => list::run(&mut Connection::open(&cli)?, list, owner, &out),
        Action::Get(ref get) => get::run(&mut Connection::open(&cli)?, get, owner, &out),
        Action::Watch(ref watch) => watch::run(&mut Connection::open(&cli)?, watch, owner, &out),
        Action::Rm(ref rm) => remove(&mut Connection::open(&cli)?, rm, owner, &out),
        Action::Upgrade => upgrade(&mut Connection::open(&cli)?, &out),
    }
}

fn remove(
    connection: &mut Connection,
    rm: &cli::Rm,
    owner: Option<String>,
    out: &Output,
) -> Result<(), CtlError> {
    let request = Request::Remove {
        names: some(&rm.names),
        ids: some(&rm.ids),
        owner,
    };
    let reply: RemoveReply = match connection.call(&request, &[]) {
        Err(CtlError::Refused(crate::api::ApiError::NoSuchEntry { .. })) if rm.force => {
            RemoveReply { removed: 0 }
        }
        other => other?.0,
    };
    out.value(&reply, || {
        format!("removed {}", count(reply.removed, "entry", "entries"))
    })
}

fn upgrade(connection: &mut Connection, out: &Output) -> Result<(), CtlError> {
    let (reply, _): (UpgradeReply, _) = connection.call(&Request::Upgrade {}, &[])?;
    out.value(&reply, || {
        format!(
            "fdstored {} goes on as process {} with {} and {}",
            reply.version,
            reply.pid,
            count(reply.entries, "entry", "entries"),
            count(reply.connections, "connection", "connections")
        )
    })?;
    if reply.quarantined > 0 {
        return Err(CtlError::Other(format!(
            "{} descriptors were not what they should be, and were let go; see fdstored's log",
            reply.quarantined
        )));
    }
    Ok(())
}

/// A list that is empty is not sent.
fn some<T: Clone>(list: &[T]) -> Option<Vec<T>> {
    (!list.is_empty()).then(|| list.to_vec())
}
