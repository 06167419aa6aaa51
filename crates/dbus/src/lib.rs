//! softboot-dbus: org.freedesktop.systemd1 in front of softboot's own control interface.
//!
//! Here are the rules of its object paths. The bridge process itself, which answers `systemctl` on the private
//! socket by calls of `io.softboot.Manager`, comes with the D-Bus work; nothing here speaks D-Bus yet.

pub mod object_path;
