//! `[Socket]`.

use serde::{Deserialize, Serialize};

use super::sparse::usual;
use super::{ExecCommand, ExecContext, KillSettings, Rare, RateLimit, SocketOptions, Usec};
use crate::name::UnitName;

/// `[Socket]` with every default applied (semantics 1.3 to 1.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketSection {
    /// Every `Listen…=`, in file order: the order of the descriptors.
    pub ports: Vec<Port>,
    /// `Accept=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub accept: bool,
    /// The unit that is started: `Service=`, or the same stem; the template for Accept=yes.
    pub service: UnitName,
    /// `FileDescriptorName=`; `None`: the rules of semantics 1.1.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub fd_name: Option<String>,
    /// `Backlog=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_backlog")]
    pub backlog: u32,
    /// `BindIPv6Only=`: `None` for default, else whether only IPv6.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub ipv6_only: Option<bool>,
    /// `ReusePort=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub reuse_port: bool,
    /// `FreeBind=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub free_bind: bool,
    /// `NoDelay=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub no_delay: bool,
    /// `KeepAlive=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub keep_alive: bool,
    /// `PassCredentials=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub pass_credentials: bool,
    /// `ReceiveBuffer=` in bytes.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub receive_buffer: Option<u64>,
    /// `SendBuffer=` in bytes.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub send_buffer: Option<u64>,
    /// `SocketMode=` (default 0666).
    #[serde(skip_serializing_if = "super::sparse::usual::is_socket_mode")]
    pub socket_mode: u32,
    /// `DirectoryMode=` (default 0755).
    #[serde(skip_serializing_if = "super::sparse::usual::is_directory_mode")]
    pub directory_mode: u32,
    /// `RemoveOnStop=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub remove_on_stop: bool,
    /// `FlushPending=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub flush_pending: bool,
    /// `MaxConnections=` (default 64).
    #[serde(skip_serializing_if = "super::sparse::usual::is_max_connections")]
    pub max_connections: u32,
    /// `MaxConnectionsPerSource=`; 0: no limit.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub max_connections_per_source: u32,
    /// `TriggerLimitIntervalSec=` and `TriggerLimitBurst=` (default 2 s, 20; 200 with Accept=yes).
    #[serde(skip_serializing_if = "super::sparse::usual::is_trigger_limit")]
    pub trigger_limit: RateLimit,
    /// `PollLimitIntervalSec=` and `PollLimitBurst=` (default 2 s, 15; 150 with Accept=yes).
    #[serde(skip_serializing_if = "super::sparse::usual::is_poll_limit")]
    pub poll_limit: RateLimit,
    /// `TimeoutSec=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_timeout")]
    pub timeout: Usec,
    /// `DeferTrigger=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub defer_trigger: DeferTrigger,
    /// `DeferTriggerMaxSec=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_infinite")]
    pub defer_trigger_max: Usec,
    /// `Slice=`.
    #[serde(skip_serializing_if = "super::sparse::usual::is_system_slice")]
    pub slice: UnitName,
    /// `SocketUser=`: owner of the nodes, a name or a number.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub user: Option<String>,
    /// `SocketGroup=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub group: Option<String>,
    /// `Symlinks=`: absolute paths of links to the one node in the file system.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub symlinks: Vec<String>,
    /// `PassFileDescriptorsToExec=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub pass_fds_to_exec: bool,
    /// `Writable=`, for [`PortKind::Special`].
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub writable: bool,
    /// `MessageQueueMaxMessages=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub message_queue_max_messages: Option<u32>,
    /// `MessageQueueMessageSize=` in bytes.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub message_queue_message_size: Option<u32>,
    /// Options of the sockets themselves.
    #[serde(
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub options: Rare<SocketOptions>,
    /// `ExecStartPre=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_start_pre: Vec<ExecCommand>,
    /// `ExecStartPost=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_start_post: Vec<ExecCommand>,
    /// `ExecStopPre=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_stop_pre: Vec<ExecCommand>,
    /// `ExecStopPost=`.
    #[serde(skip_serializing_if = "super::sparse::is_default")]
    pub exec_stop_post: Vec<ExecCommand>,
    /// The environment of those.
    #[serde(
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub exec: Rare<ExecContext>,
    /// How those are ended.
    #[serde(
        skip_serializing_if = "super::sparse::is_default",
        serialize_with = "super::sparse::serialize"
    )]
    pub kill: Rare<KillSettings>,
}

impl SocketSection {
    /// The section of an empty file whose service is this one.
    pub fn empty(service: &UnitName) -> SocketSection {
        SocketSection {
            service: service.clone(),
            ..SocketSection::default()
        }
    }
}

impl Default for SocketSection {
    /// Without a service of its own; no socket unit is without one.
    fn default() -> SocketSection {
        SocketSection {
            ports: Vec::new(),
            accept: false,
            service: UnitName::no_service(),
            fd_name: None,
            backlog: usual::BACKLOG,
            ipv6_only: None,
            reuse_port: false,
            free_bind: false,
            no_delay: false,
            keep_alive: false,
            pass_credentials: false,
            receive_buffer: None,
            send_buffer: None,
            socket_mode: usual::SOCKET_MODE,
            directory_mode: usual::DIRECTORY_MODE,
            remove_on_stop: false,
            flush_pending: false,
            max_connections: usual::MAX_CONNECTIONS,
            max_connections_per_source: 0,
            trigger_limit: RateLimit::TRIGGER_LIMIT,
            poll_limit: RateLimit::POLL_LIMIT,
            timeout: usual::TIMEOUT,
            defer_trigger: DeferTrigger::No,
            defer_trigger_max: Usec::INFINITY,
            slice: UnitName::system_slice(),
            user: None,
            group: None,
            symlinks: Vec::new(),
            pass_fds_to_exec: false,
            writable: false,
            message_queue_max_messages: None,
            message_queue_message_size: None,
            options: Rare::default(),
            exec_start_pre: Vec::new(),
            exec_start_post: Vec::new(),
            exec_stop_pre: Vec::new(),
            exec_stop_post: Vec::new(),
            exec: Rare::default(),
            kill: Rare::default(),
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeferTrigger {
    /// A conflict fails the socket or replaces the other job.
    #[default]
    No,
    /// Wait while there are jobs.
    Yes,
    /// Wait, whatever is queued.
    Patient,
}
