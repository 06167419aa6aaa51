//! Where things are.

/// Everything of softboot's own below /run.
pub(crate) const RUN: &str = "/run/softboot";
/// The unit logs.
pub(crate) const LOGS: &str = "/run/softboot/log";
/// The control socket (also `softboot_control::client::SOCKET_PATH`).
pub(crate) const CONTROL_SOCKET: &str = "/run/softboot/control";
/// The same interfaces where tools of systemd look for them (semantics 8.4).
pub(crate) const VARLINK_SOCKET: &str = "/run/systemd/io.systemd.Manager";
/// The notification socket; its place is part of the protocol that daemons expect (semantics 3.1).
pub(crate) const NOTIFY_SOCKET: &str = "/run/systemd/notify";
/// Its existence tells libraries that a manager with this protocol runs: sd_booted(3).
pub(crate) const BOOTED_MARK: &str = "/run/systemd/system";
/// Where an installed softbootd is, when /proc cannot tell.
pub(crate) const INSTALLED: &str = "/usr/lib/softboot/softbootd";
/// The unit a boot starts.
pub(crate) const DEFAULT_UNIT: &str = "default.target";
