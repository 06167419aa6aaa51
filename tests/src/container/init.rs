//! The stages between the harness and the container's PID 1: into the cgroup, into the namespaces, into the root.

use std::ffi::CString;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Mode, OFlags, open};
use rustix::mount::{
    MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_bind_recursive, mount_change,
    mount_remount, unmount,
};
use rustix::process::{Signal, chdir, pivot_root, set_parent_process_death_signal, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdin, dup2_stdout};

use crate::container::unit;
use crate::error::{Context, Error};

/// Devices of the host that a container may use.
const DEVICES: [&str; 6] = ["null", "zero", "full", "random", "urandom", "tty"];

/// First stage, on the host: enters the cgroup, so that the namespace has it as its root, and makes the namespaces.
///
/// # Errors
/// [`Error::Io`] if the cgroup cannot be entered or unshare(1) cannot be run. It does not return otherwise.
pub fn enter(cgroup: &Path, root: &Path, shared: &Path, console: &Path) -> Result<(), Error> {
    fs::write(cgroup.join("cgroup.procs"), "0").doing(format!("entering {}", cgroup.display()))?;
    // unshare(1) shrugs off what Ctrl-C sends; its end is that of the container (--kill-child).
    set_parent_process_death_signal(Some(Signal::KILL)).doing("tying the container to the harness")?;
    let own = std::env::current_exe().doing("finding the own program")?;
    let error = Command::new("unshare")
        .args([
            "--pid",
            "--mount",
            "--net",
            "--cgroup",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
            "--",
        ])
        .arg(own)
        .arg("init")
        .args([root, shared, console])
        .exec();
    Err(error).doing("running unshare")
}

/// Second stage, PID 1 in the namespaces: makes the file systems, enters the root, and becomes /sbin/init.
///
/// # Errors
/// [`Error::Io`] naming the step that failed. It does not return otherwise.
pub fn become_init(root: &Path, shared: &Path, console: &Path) -> Result<(), Error> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)
        .doing("making mounts private")?;
    mount_bind_recursive(root, root).doing(format!("mounting {}", root.display()))?;
    api_file_systems(root)?;
    devices(root, console)?;
    run_directory(root, shared)?;

    chdir(root).doing(format!("entering {}", root.display()))?;
    // Both names the same: the old root ends up on top of the new one and is unmounted there (pivot_root(2)).
    pivot_root(".", ".").doing("making it the root")?;
    unmount(".", UnmountFlags::DETACH).doing("unmounting the host's root")?;
    chdir("/").doing("entering the new root")?;

    setsid().doing("starting a session")?;
    let terminal =
        open("/dev/console", OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).doing("opening the console")?;
    dup2_stdin(&terminal).doing("setting standard input")?;
    dup2_stdout(&terminal).doing("setting standard output")?;
    dup2_stderr(&terminal).doing("setting standard error")?;
    drop(terminal);
    // The scenarios' own; any other container gets nothing but its root.
    if Path::new(SHARED).join(unit::NAME).exists() {
        leave_a_socket_open()?;
    }
    let words = fs::read_to_string(Path::new(SHARED).join(WORDS)).unwrap_or_default();
    let error = Command::new("/sbin/init")
        .env_clear()
        .env("container", "softboot")
        .env("SOFTBOOT_CMDLINE", words)
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .exec();
    Err(error).doing("running /sbin/init")
}

/// The directory that is shared with the host, as the container sees it.
const SHARED: &str = "/run/host";
/// Below it: what PID 1 has in place of the kernel's command line.
pub(super) const WORDS: &str = "command-line";
/// Where hello.socket of the image listens, so that PID 1 finds that open.
const LEFT_OPEN: &str = "[::]:7001";
/// Below the directory that is shared with the host: SO_COOKIE of that socket.
pub(crate) const LEFT_OPEN_COOKIE: &str = "/run/host/left-open";

/// What a container manager does that opens sockets for its container.
fn leave_a_socket_open() -> Result<(), Error> {
    let listener = std::net::TcpListener::bind(LEFT_OPEN).doing("opening a socket for PID 1")?;
    let cookie = rustix::net::sockopt::socket_cookie(&listener).doing("asking for its cookie")?;
    fs::write(LEFT_OPEN_COOKIE, cookie.to_string()).doing("writing its cookie")?;
    let flags = rustix::io::fcntl_getfd(&listener).doing("looking at its flags")?;
    rustix::io::fcntl_setfd(&listener, flags - rustix::io::FdFlags::CLOEXEC).doing("leaving it open")?;
    std::mem::forget(listener);
    Ok(())
}

fn api_file_systems(root: &Path) -> Result<(), Error> {
    let safe = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    put(root, "proc", "proc", safe, "")?;
    put(root, "sys", "sysfs", safe | MountFlags::RDONLY, "")?;
    put(root, "sys/fs/cgroup", "cgroup2", safe, "nsdelegate")
        .or_else(|_| put(root, "sys/fs/cgroup", "cgroup2", safe, ""))?;
    put(
        root,
        "run",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        "mode=755",
    )?;
    put(
        root,
        "tmp",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        "mode=1777",
    )?;
    put(root, "dev", "tmpfs", MountFlags::NOSUID, "mode=755")?;
    put(
        root,
        "dev/pts",
        "devpts",
        MountFlags::NOSUID | MountFlags::NOEXEC,
        "newinstance,ptmxmode=0666,mode=620",
    )?;
    put(
        root,
        "dev/shm",
        "tmpfs",
        MountFlags::NOSUID | MountFlags::NODEV,
        "mode=1777",
    )?;
    // The host's kernel settings are not the container's to change.
    let settings = root.join("proc/sys");
    mount_bind(&settings, &settings).doing("mounting /proc/sys")?;
    mount_remount(&settings, MountFlags::BIND | MountFlags::RDONLY | safe, "")
        .doing("making /proc/sys read-only")
}

fn put(root: &Path, at: &str, kind: &str, flags: MountFlags, options: &str) -> Result<(), Error> {
    let doing = format!("mounting {kind} on /{at}");
    let path = root.join(at);
    // Below a read-only sysfs the directory is there already.
    if !path.is_dir() {
        fs::create_dir_all(&path).doing(doing.clone())?;
    }
    let options = CString::new(options)
        .map_err(std::io::Error::other)
        .doing(doing.clone())?;
    mount(kind, &path, kind, flags, Some(options.as_c_str())).doing(doing)
}

fn devices(root: &Path, console: &Path) -> Result<(), Error> {
    let dev = root.join("dev");
    for name in DEVICES {
        bind_file(&Path::new("/dev").join(name), &dev.join(name))?;
    }
    bind_file(console, &dev.join("console"))?;
    let links = [
        ("pts/ptmx", "ptmx"),
        ("/proc/self/fd", "fd"),
        ("/proc/self/fd/0", "stdin"),
    ];
    for (target, name) in links
        .into_iter()
        .chain([("/proc/self/fd/1", "stdout"), ("/proc/self/fd/2", "stderr")])
    {
        std::os::unix::fs::symlink(target, dev.join(name)).doing(format!("linking /dev/{name}"))?;
    }
    Ok(())
}

fn bind_file(from: &Path, to: &Path) -> Result<(), Error> {
    fs::write(to, "").doing(format!("making {}", to.display()))?;
    mount_bind(from, to).doing(format!("mounting {}", from.display()))
}

fn run_directory(root: &Path, shared: &Path) -> Result<(), Error> {
    let host = root.join("run/host");
    fs::create_dir(&host).doing("making /run/host")?;
    mount_bind(shared, &host).doing("mounting /run/host")?;
    if !shared.join(unit::NAME).exists() {
        return Ok(());
    }
    let units = root.join("run/systemd/system");
    let wants = units.join("multi-user.target.wants");
    fs::create_dir_all(&wants).doing(format!("making {}", wants.display()))?;
    fs::copy(shared.join(unit::NAME), units.join(unit::NAME)).doing("writing the scenario's unit")?;
    let target = PathBuf::from("..").join(unit::NAME);
    std::os::unix::fs::symlink(target, wants.join(unit::NAME)).doing("wanting the scenario's unit")
}
