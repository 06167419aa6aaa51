//! `[Socket]`.

use serde::{Deserialize, Serialize};

use super::{ExecCommand, ExecContext, KillSettings, RateLimit, SocketOptions, Usec};
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
    /// `SocketUser=`: owner of the nodes, a name or a number.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub user: Option<String>,
    /// `SocketGroup=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub group: Option<String>,
    /// `Symlinks=`: absolute paths of links to the one node in the file system.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub symlinks: Vec<String>,
    /// `PassFileDescriptorsToExec=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub pass_fds_to_exec: bool,
    /// `Writable=`, for [`PortKind::Special`].
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub writable: bool,
    /// `MessageQueueMaxMessages=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub message_queue_max_messages: Option<u32>,
    /// `MessageQueueMessageSize=` in bytes.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub message_queue_message_size: Option<u32>,
    /// Options of the sockets themselves.
    #[serde(
        default,
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub options: SocketOptions,
    /// `ExecStartPre=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub exec_start_pre: Vec<ExecCommand>,
    /// `ExecStartPost=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub exec_start_post: Vec<ExecCommand>,
    /// `ExecStopPre=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub exec_stop_pre: Vec<ExecCommand>,
    /// `ExecStopPost=`.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub exec_stop_post: Vec<ExecCommand>,
    /// The environment of those.
    #[serde(
        default,
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub exec: ExecContext,
    /// How those are ended.
    #[serde(
        default,
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub kill: KillSettings,
}

impl SocketSection {
    /// The section of an empty file named `name`.
    pub fn empty(name: &UnitName) -> SocketSection {
        let limit = |burst| RateLimit {
            interval: Usec::from_secs(2),
            burst,
        };
        SocketSection {
            ports: Vec::new(),
            accept: false,
            service: name.clone(),
            fd_name: None,
            backlog: u32::MAX,
            ipv6_only: None,
            reuse_port: false,
            free_bind: false,
            no_delay: false,
            keep_alive: false,
            pass_credentials: false,
            receive_buffer: None,
            send_buffer: None,
            socket_mode: 0o666,
            directory_mode: 0o755,
            remove_on_stop: false,
            flush_pending: false,
            max_connections: 64,
            max_connections_per_source: 0,
            trigger_limit: limit(20),
            poll_limit: limit(15),
            timeout: Usec::from_secs(90),
            defer_trigger: DeferTrigger::No,
            defer_trigger_max: Usec::INFINITY,
            slice: UnitName::new("system.slice").unwrap_or_else(|_| name.clone()),
            user: None,
            group: None,
            symlinks: Vec::new(),
            pass_fds_to_exec: false,
            writable: false,
            message_queue_max_messages: None,
            message_queue_message_size: None,
            options: SocketOptions::default(),
            exec_start_pre: Vec::new(),
            exec_start_post: Vec::new(),
            exec_stop_pre: Vec::new(),
            exec_stop_post: Vec::new(),
            exec: ExecContext::default(),
            kill: KillSettings::default(),
        }
    }
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
    /// `ListenSpecial=`: a character device or a file that exists.
    Special,
    /// `ListenNetlink=`.
    Netlink,
    /// `ListenMessageQueue=`: a POSIX message queue; its [`Address::Path`] is its name.
    MessageQueue,
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
    /// IPv6 with a port, at one interface.
    InetAt {
        /// The address; its scope is not set.
        address: std::net::SocketAddr,
        /// The interface's name or number.
        interface: String,
    },
    /// AF_VSOCK; without a context, any.
    Vsock {
        /// Context.
        cid: Option<u32>,
        /// Port.
        port: u32,
    },
    /// AF_NETLINK.
    Netlink {
        /// The protocol's number (netlink(7)).
        family: u32,
        /// A bit mask of groups.
        group: u32,
    },
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
