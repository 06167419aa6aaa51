//! Endpoints as text: `KIND:ADDRESS`.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use super::{Endpoint, Peer};

/// Why a text is no endpoint.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no endpoint: {reason}")]
pub struct AddressError {
    text: String,
    reason: String,
}

const FORMS: &str = "write tcp:IP:PORT, unix:/PATH, http:IP:PORT/PAGE, udp:IP:PORT, varlink:/PATH, held:tcp:IP:PORT, \
                     held:unix:/PATH, accept:tcp:IP:PORT or accept:unix:/PATH";

impl FromStr for Endpoint {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Endpoint, AddressError> {
        let parsed = text
            .split_once(':')
            .ok_or_else(|| FORMS.to_owned())
            .and_then(|(kind, rest)| parse(kind, rest));
        parsed.map_err(|reason| AddressError {
            text: text.to_owned(),
            reason,
        })
    }
}

fn parse(kind: &str, rest: &str) -> Result<Endpoint, String> {
    match kind {
        "tcp" => Ok(Endpoint::Echo(socket(rest)?)),
        "unix" => Ok(Endpoint::UnixEcho(path(rest)?)),
        "udp" => Ok(Endpoint::Udp(socket(rest)?)),
        "varlink" => Ok(Endpoint::Varlink(path(rest)?)),
        "held" => Ok(Endpoint::Held(peer(rest)?)),
        "accept" => Ok(Endpoint::Activation(peer(rest)?)),
        "http" => {
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            let (address, page) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            if page.contains(|c: char| c.is_whitespace() || c.is_control()) {
                return Err(format!("the page {page:?} has a space or a control character"));
            }
            Ok(Endpoint::Http {
                address: socket(address)?,
                path: if page.is_empty() {
                    "/".to_owned()
                } else {
                    page.to_owned()
                },
            })
        }
        kind => Err(format!("there is no kind {kind:?}; {FORMS}")),
    }
}

fn peer(text: &str) -> Result<Peer, String> {
    match text.split_once(':') {
        Some(("tcp", rest)) => Ok(Peer::Tcp(socket(rest)?)),
        Some(("unix", rest)) => Ok(Peer::Unix(path(rest)?)),
        _ => Err(format!("{text:?} is neither tcp:IP:PORT nor unix:/PATH")),
    }
}

fn socket(text: &str) -> Result<SocketAddr, String> {
    // A name service may be what is away, and its time is not the endpoint's.
    text.parse()
        .map_err(|_| format!("{text:?} is no IP:PORT; names are not looked up"))
}

fn path(text: &str) -> Result<PathBuf, String> {
    // sun_path of unix(7), with the byte that ends it.
    if !text.starts_with('/') || text.len() > 107 || text.contains('\0') {
        return Err(format!("{text:?} is no absolute path of at most 107 bytes"));
    }
    Ok(PathBuf::from(text))
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Peer::Tcp(address) => write!(f, "tcp:{address}"),
            Peer::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Echo(address) => write!(f, "tcp:{address}"),
            Endpoint::UnixEcho(path) => write!(f, "unix:{}", path.display()),
            Endpoint::Http { address, path } => write!(f, "http:{address}{path}"),
            Endpoint::Udp(address) => write!(f, "udp:{address}"),
            Endpoint::Held(peer) => write!(f, "held:{peer}"),
            Endpoint::Varlink(path) => write!(f, "varlink:{}", path.display()),
            Endpoint::Activation(peer) => write!(f, "accept:{peer}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_written_as_it_is_read() {
        for text in [
            "tcp:127.0.0.1:7000",
            "tcp:[::1]:7000",
            "unix:/run/echo",
            "http:127.0.0.1:80/a?b=c",
            "udp:127.0.0.1:7",
            "held:tcp:127.0.0.1:7000",
            "held:unix:/run/echo",
            "varlink:/run/softboot/control",
            "accept:tcp:127.0.0.1:7001",
        ] {
            assert_eq!(
                text.parse::<Endpoint>().map(|endpoint| endpoint.to_string()),
                Ok(text.to_owned())
            );
        }
        let page = "http://127.0.0.1:80"
            .parse::<Endpoint>()
            .map(|endpoint| endpoint.to_string());
        assert_eq!(page.as_deref(), Ok("http:127.0.0.1:80/"));
    }

    #[test]
    fn what_is_no_endpoint_says_why() {
        let reason = |text: &str| text.parse::<Endpoint>().unwrap_err().to_string();
        assert!(reason("tcp:localhost:80").contains("names are not looked up"));
        assert!(reason("unix:run/echo").contains("absolute"));
        assert!(reason("icmp:127.0.0.1").contains("no kind \"icmp\""));
        assert!(reason("held:udp:127.0.0.1:7").contains("neither"));
        assert!(reason("http:127.0.0.1:80/a b").contains("space"));
        assert!(reason("nothing").contains("tcp:IP:PORT"));
    }
}
