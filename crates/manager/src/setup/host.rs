//! Host name, loopback, limits, Ctrl-Alt-Del, the kernel's command line.

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::system::RebootCommand;
use tracing::warn;

/// Soft limit of descriptors for services: what programs that use select(2) can bear.
const SERVICE_NOFILE_SOFT: u64 = 1024;
/// Hard limit of descriptors for services.
const SERVICE_NOFILE_HARD: u64 = 524_288;

/// Sets the host name from /etc/hostname, brings loopback up and raises PID 1's own limits.
pub(crate) fn prepare_host(container: bool) {
    if !container {
        set_hostname();
    }
    if let Err(error) = softboot_sys::net::loopback_up() {
        warn!("cannot bring the loopback interface up: {error}");
    }
    raise_own_limits();
}

fn set_hostname() {
    let Ok(text) = fs::read_to_string("/etc/hostname") else {
        return;
    };
    let Some(name) = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))
    else {
        return;
    };
    if let Err(error) = rustix::system::sethostname(name.as_bytes()) {
        warn!("cannot set the host name to {name:?}: {error}");
    }
}

/// The store may hold many descriptors: PID 1 takes the highest limit the kernel gives.
fn raise_own_limits() {
    let current = getrlimit(Resource::Nofile);
    let ceiling = fs::read_to_string("/proc/sys/fs/nr_open")
        .ok()
        .and_then(|text| text.trim().parse::<u64>().ok());
    let wanted = ceiling.or(current.maximum);
    let raised = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: wanted,
            maximum: wanted,
        },
    );
    if raised.is_err() {
        // Without the privilege to raise the hard limit, take what there is.
        let _ = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: current.maximum,
                maximum: current.maximum,
            },
        );
    }
}

/// Where containers of this system look for the name of their host's (semantics 7.7).
const OS_RELEASE_STAGE: &str = "/run/systemd/propagate/.os-release-stage";

/// Puts the root's os-release there, whole at every moment.
pub(crate) fn stage_os_release() {
    let found = fs::read("/etc/os-release").or_else(|_| fs::read("/usr/lib/os-release"));
    let Ok(text) = found else { return };
    let (new, place) = (
        format!("{OS_RELEASE_STAGE}/.os-release.new"),
        format!("{OS_RELEASE_STAGE}/os-release"),
    );
    let staged = fs::create_dir_all(OS_RELEASE_STAGE)
        .and_then(|()| fs::write(&new, text))
        .and_then(|()| fs::rename(&new, &place));
    if let Err(error) = staged {
        warn!("{place}: {error}");
    }
}

/// The limit of descriptors that services start with, bounded by PID 1's own hard limit.
pub(crate) fn original_limits() -> (u64, u64) {
    let hard = getrlimit(Resource::Nofile)
        .maximum
        .unwrap_or(u64::MAX)
        .min(SERVICE_NOFILE_HARD);
    (SERVICE_NOFILE_SOFT.min(hard), hard)
}

/// Makes the kernel send SIGINT for Ctrl-Alt-Del instead of rebooting at once (reboot(2), CAD_OFF).
pub(crate) fn disable_ctrl_alt_del() {
    if let Err(error) = rustix::system::reboot(RebootCommand::CadOff) {
        warn!("cannot take over Ctrl-Alt-Del: {error}");
    }
}

/// What a container has in place of the kernel's command line, which belongs to the host. Its manager sets it for PID 1.
const CONTAINER_WORDS: &str = "SOFTBOOT_CMDLINE";

/// The words of the kernel's command line, or of what a container has in its place.
pub(crate) fn kernel_command_line(container: bool) -> Vec<String> {
    let text = if container {
        std::env::var(CONTAINER_WORDS).unwrap_or_default()
    } else {
        fs::read_to_string("/proc/cmdline").unwrap_or_default()
    };
    text.split_whitespace().map(str::to_owned).collect()
}
