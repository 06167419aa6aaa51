//! softboot-dbus: the org.freedesktop.systemd1 bridge.
