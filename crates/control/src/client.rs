//! A blocking client, for `softctl` and tests. Not for PID 1.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::api::{ApiError, Request};

/// Where softbootd listens.
pub const SOCKET_PATH: &str = "/run/softboot/control";
/// Names another socket.
pub const SOCKET_VARIABLE: &str = "SOFTBOOT_CONTROL";

/// Why a call has no result.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("cannot reach softbootd at {}: {source}", path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The connection broke.
    #[error("the connection to softbootd broke: {0}")]
    Io(#[from] std::io::Error),
    /// softbootd closed it.
    #[error("softbootd closed the connection without an answer")]
    Closed,
    /// The reply is no Varlink reply, or not the one this client knows.
    #[error("softbootd's answer cannot be read: {0}")]
    Reply(#[from] serde_json::Error),
    /// softbootd said no.
    #[error(transparent)]
    Refused(#[from] ApiError),
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

impl Client {
    /// Connects to `$SOFTBOOT_CONTROL`, else to [`SOCKET_PATH`].
    pub fn connect_default() -> Result<Client, ClientError> {
        let path =
            std::env::var_os(SOCKET_VARIABLE).map_or_else(|| PathBuf::from(SOCKET_PATH), PathBuf::from);
        Client::connect(path)
    }

    /// Connects to this socket.
    pub fn connect(path: impl Into<PathBuf>) -> Result<Client, ClientError> {
        let path = path.into();
        match UnixStream::connect(&path) {
            Ok(stream) => Ok(Client {
                path,
                stream: BufReader::new(stream),
            }),
            Err(source) => Err(ClientError::Connect { path, source }),
        }
    }

    /// Limits how long a reply may take; `None`: for ever.
    pub fn set_timeout(&mut self, limit: Option<Duration>) -> Result<(), ClientError> {
        Ok(self.stream.get_ref().set_read_timeout(limit)?)
    }

    /// Makes a call and waits for its reply. A call that only looks is made once more when the connection broke.
    pub fn call<R: DeserializeOwned>(&mut self, request: &Request) -> Result<R, ClientError> {
        let first = self.call_once(request, false);
        match first {
            Err(ClientError::Closed | ClientError::Io(_)) if request.is_repeatable() => {
                *self = Client::connect(self.path.clone())?;
                self.call_once(request, false)
            }
            other => other,
        }
    }

    /// Makes a call that has many replies; `each` gets them until it says no or there are no more.
    pub fn call_more<R: DeserializeOwned>(
        &mut self,
        request: &Request,
        mut each: impl FnMut(R) -> bool,
    ) -> Result<(), ClientError> {
        self.send(request, true)?;
        loop {
            let (value, continues) = self.receive()?;
            if !each(serde_json::from_value(value)?) || !continues {
                return Ok(());
            }
        }
    }

    fn call_once<R: DeserializeOwned>(&mut self, request: &Request, more: bool) -> Result<R, ClientError> {
        self.send(request, more)?;
        let (value, _) = self.receive()?;
        Ok(serde_json::from_value(value)?)
    }

    fn send(&mut self, request: &Request, more: bool) -> Result<(), ClientError> {
        let (method, parameters) = request.to_call();
        let mut call = serde_json::json!({ "method": method, "parameters": parameters });
        if let (true, Some(object)) = (more, call.as_object_mut()) {
            object.insert("more".to_owned(), Value::Bool(true));
        }
        let mut bytes = serde_json::to_vec(&call)?;
        bytes.push(0);
        Ok(self.stream.get_mut().write_all(&bytes)?)
    }

    /// The parameters of one reply, and whether more follow.
    fn receive(&mut self) -> Result<(Value, bool), ClientError> {
        let mut bytes = Vec::new();
        self.stream.read_until(0, &mut bytes)?;
        if bytes.pop() != Some(0) {
            return Err(ClientError::Closed);
        }
        let reply: Value = serde_json::from_slice(&bytes)?;
        let parameters = reply
            .get("parameters")
            .cloned()
            .unwrap_or_else(|| serde_json::json!({}));
        if let Some(name) = reply.get("error").and_then(Value::as_str) {
            return Err(ClientError::Refused(ApiError::from_wire(name, &parameters)));
        }
        Ok((
            parameters,
            reply.get("continues").and_then(Value::as_bool).unwrap_or(false),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Empty, LogsReply, LogsRequest};
    use std::io::Read as _;
    use std::os::unix::net::UnixListener;

    /// A server that gives each connection these bytes after it has read one call.
    fn server(answers: Vec<Vec<u8>>) -> (tempfile::TempDir, PathBuf, std::thread::JoinHandle<()>) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let thread = std::thread::spawn(move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                let mut byte = [1];
                while byte != [0] {
                    stream.read_exact(&mut byte).unwrap();
                }
                stream.write_all(&answer).unwrap();
            }
        });
        (directory, path, thread)
    }

    #[test]
    fn a_call_that_only_looks_is_made_again_when_the_connection_breaks() {
        let (_dir, path, thread) = server(vec![Vec::new(), b"{\"parameters\":{}}\0".to_vec()]);
        let mut client = Client::connect(path).unwrap();
        assert_eq!(client.call::<Empty>(&Request::Ping {}).unwrap(), Empty {});
        thread.join().unwrap();
    }

    #[test]
    fn a_call_that_changes_something_is_not_made_twice() {
        let (_dir, path, thread) = server(vec![Vec::new()]);
        let mut client = Client::connect(path).unwrap();
        let result = client.call::<Empty>(&Request::Reboot { force: false });
        assert!(matches!(result, Err(ClientError::Closed)));
        thread.join().unwrap();
    }

    #[test]
    fn a_refusal_keeps_its_kind() {
        let answer =
            b"{\"error\":\"io.softboot.Manager.AccessDenied\",\"parameters\":{\"message\":\"no\"}}\0"
                .to_vec();
        let (_dir, path, thread) = server(vec![answer]);
        let mut client = Client::connect(path).unwrap();
        let result = client.call::<Empty>(&Request::Ping {});
        assert!(matches!(
            result,
            Err(ClientError::Refused(ApiError::AccessDenied { .. }))
        ));
        thread.join().unwrap();
    }

    #[test]
    fn replies_go_on_until_the_last() {
        let answer =
            b"{\"continues\":true,\"parameters\":{\"lines\":[]}}\0{\"parameters\":{\"lines\":[]}}\0".to_vec();
        let (_dir, path, thread) = server(vec![answer]);
        let mut client = Client::connect(path).unwrap();
        let mut count = 0;
        let request = Request::Logs(LogsRequest {
            name: "a".to_owned(),
            lines: 1,
            follow: true,
        });
        client
            .call_more(&request, |_: LogsReply| {
                count += 1;
                true
            })
            .unwrap();
        assert_eq!(count, 2);
        thread.join().unwrap();
    }

    #[test]
    fn a_missing_socket_is_named() {
        let error = Client::connect("/no/such/socket").unwrap_err();
        assert!(error.to_string().contains("/no/such/socket"));
    }
}
