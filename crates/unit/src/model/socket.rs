//! `[Socket]`.

use serde::{Deserialize, Serialize};

use super::{RateLimit, Usec};
use crate::name::UnitName;

/// `[Socket]` with every default applied (semantics 1.3 to 1.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SocketSection {
    /// Every `Listen…=`, in file order: the order of the descriptors.
    pub ports: Vec<Port>,
    /// `Accept=`.
    pub accept: bool,
    /// The unit that is started: `Service=`, or the same stem; the template for Accept=yes.
    pub service: UnitName,
    /// `FileDescriptorName=`; `None`: the rules of semantics 1.1.
    pub fd_name: Option<String>,
    /// `Backlog=`.
    pub backlog: u32,
    /// `BindIPv6Only=`: `None` for default, else whether only IPv6.
    pub ipv6_only: Option<bool>,
    /// `ReusePort=`.
    pub reuse_port: bool,
    /// `FreeBind=`.
    pub free_bind: bool,
    /// `NoDelay=`.
    pub no_delay: bool,
    /// `KeepAlive=`.
    pub keep_alive: bool,
    /// `PassCredentials=`.
    pub pass_credentials: bool,
    /// `ReceiveBuffer=` in bytes.
    pub receive_buffer: Option<u64>,
    /// `SendBuffer=` in bytes.
    pub send_buffer: Option<u64>,
    /// `SocketMode=` (default 0666).
    pub socket_mode: u32,
    /// `DirectoryMode=` (default 0755).
    pub directory_mode: u32,
    /// `RemoveOnStop=`.
    pub remove_on_stop: bool,
    /// `FlushPending=`.
    pub flush_pending: bool,
    /// `MaxConnections=` (default 64).
    pub max_connections: u32,
    /// `MaxConnectionsPerSource=`; 0: no limit.
    pub max_connections_per_source: u32,
    /// `TriggerLimitIntervalSec=` and `TriggerLimitBurst=` (default 2 s, 20; 200 with Accept=yes).
    pub trigger_limit: RateLimit,
    /// `PollLimitIntervalSec=` and `PollLimitBurst=` (default 2 s, 15; 150 with Accept=yes).
    pub poll_limit: RateLimit,
    /// `TimeoutSec=`.
    pub timeout: Usec,
    /// `DeferTrigger=`.
    pub defer_trigger: DeferTrigger,
    /// `DeferTriggerMaxSec=`.
    pub defer_trigger_max: Usec,
    /// `Slice=`.
    pub slice: UnitName,
}

/// One `Listen…=`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Port {
    /// Which kind.
    pub kind: PortKind,
    /// Where.
    pub address: Address,
}

/// Which `Listen…=` made a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PortKind {
    /// `ListenStream=`.
    Stream,
    /// `ListenDatagram=`.
    Datagram,
    /// `ListenSequentialPacket=`.
    SequentialPacket,
    /// `ListenFIFO=`.
    Fifo,
}

/// Where a port listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "family", content = "address")]
pub enum Address {
    /// A path in the file system (AF_UNIX or FIFO).
    Path(String),
    /// An abstract AF_UNIX name, without the leading NUL.
    Abstract(String),
    /// IPv4 or IPv6 with a port.
    Inet(std::net::SocketAddr),
    /// A bare port: IPv6 any with IPv4 as BindIPv6Only= says, IPv4 any on a kernel without IPv6.
    AnyInet(u16),
}

/// `DeferTrigger=` (semantics 1.10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeferTrigger {
    /// A conflict fails the socket or replaces the other job.
    No,
    /// Wait while there are jobs.
    Yes,
    /// Wait, whatever is queued.
    Patient,
}
