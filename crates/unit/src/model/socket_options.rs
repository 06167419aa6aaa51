//! Options of listening and accepted sockets (semantics 1.5).

use serde::{Deserialize, Serialize};

use super::Usec;

/// Options beyond those of [`super::SocketSection`] itself; what is `None` is left to the kernel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketOptions {
    /// `SocketProtocol=`.
    pub protocol: Option<SocketProtocol>,
    /// `BindToDevice=`: an interface's name.
    pub bind_to_device: Option<String>,
    /// `Transparent=`.
    pub transparent: bool,
    /// `Broadcast=`.
    pub broadcast: bool,
    /// `KeepAliveTimeSec=`.
    pub keep_alive_time: Option<Usec>,
    /// `KeepAliveIntervalSec=`.
    pub keep_alive_interval: Option<Usec>,
    /// `KeepAliveProbes=`.
    pub keep_alive_probes: Option<u32>,
    /// `DeferAcceptSec=`; zero: off.
    pub defer_accept: Usec,
    /// `Priority=`.
    pub priority: Option<i32>,
    /// `IPTOS=`: 0 to 255.
    pub ip_tos: Option<u8>,
    /// `IPTTL=`: 1 to 255.
    pub ip_ttl: Option<u8>,
    /// `Mark=`.
    pub mark: Option<u32>,
    /// `TCPCongestion=`.
    pub tcp_congestion: Option<String>,
    /// `PassPIDFD=`.
    pub pass_pidfd: bool,
    /// `PassSecurity=`.
    pub pass_security: bool,
    /// `PassPacketInfo=`.
    pub pass_packet_info: bool,
    /// `AcceptFileDescriptors=` (default yes).
    pub accept_fds: bool,
    /// `Timestamping=`.
    pub timestamping: Timestamping,
}

impl Default for SocketOptions {
    fn default() -> SocketOptions {
        SocketOptions {
            protocol: None,
            bind_to_device: None,
            transparent: false,
            broadcast: false,
            keep_alive_time: None,
            keep_alive_interval: None,
            keep_alive_probes: None,
            defer_accept: Usec::ZERO,
            priority: None,
            ip_tos: None,
            ip_ttl: None,
            mark: None,
            tcp_congestion: None,
            pass_pidfd: false,
            pass_security: false,
            pass_packet_info: false,
            accept_fds: true,
            timestamping: Timestamping::Off,
        }
    }
}

/// `SocketProtocol=`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the setting's own words")]
pub enum SocketProtocol {
    UdpLite,
    Sctp,
    Mptcp,
}

/// `Timestamping=`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timestamping {
    /// None.
    #[default]
    Off,
    /// In microseconds.
    Us,
    /// In nanoseconds.
    Ns,
}
