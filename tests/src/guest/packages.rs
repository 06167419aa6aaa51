//! Daemons of the distribution, by their own unit files: redis (Type=notify, a user, a runtime directory, settings that
//! nothing enforces), cron (a daemon that looks at the clock), tinysshd (one process for each connection), lighttpd
//! (reload by signal).

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::time::Duration;

use super::check::{Output, wait_for};
use super::control::{self, Unit};
use super::softctl::softctl;
use super::{Options, net};
use crate::error::{Context as _, Error};

/// What the image must have.
pub(super) const PACKAGES: &[&str] = &[
    "cron",
    "cron-daemon-common",
    "libpam-modules",
    "lighttpd",
    "redis-server",
    "redis-tools",
    "tinysshd",
];

const REDIS: &str = "redis-server.service";
const CRON_MARK: &str = "/run/cron-was-here";
const SLICE: &str = "/sys/fs/cgroup/system.slice";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    as_maintainer_scripts_do()?;
    control::call("Reload", serde_json::json!({}))?;
    redis(output)?;
    // After the soft-reboot in there, and before what takes a while.
    control::start("cron.service")?;
    tinysshd(output)?;
    lighttpd(output)?;
    cron(output)
}

/// Users, state directories and local configuration: what installing the packages would have left.
fn as_maintainer_scripts_do() -> Result<(), Error> {
    append(
        "/etc/passwd",
        "redis:x:110:110::/var/lib/redis:/usr/sbin/nologin\n",
    )?;
    append("/etc/group", "redis:x:110:\n")?;
    for directory in ["/var/lib/redis", "/var/log/redis", "/etc/redis"] {
        fs::create_dir_all(directory).doing(format!("making {directory}"))?;
        chown(directory, Some(110), Some(110)).doing(format!("giving {directory} to redis"))?;
    }
    chown("/etc/redis/redis.conf", Some(110), Some(110)).doing("giving redis its configuration")?;
    for directory in ["/etc/tinyssh", "/var/spool/cron/crontabs"] {
        fs::create_dir_all(directory).doing(format!("making {directory}"))?;
    }
    let rules: String = ["auth", "account", "session"]
        .iter()
        .map(|kind| format!("{kind} required pam_permit.so\n"))
        .collect();
    fs::write("/etc/pam.d/cron", rules).doing("writing /etc/pam.d/cron")?;
    let job = format!("* * * * * root /bin/busybox touch {CRON_MARK}\n");
    fs::write("/etc/cron.d/softboot", job).doing("writing a job for cron")?;
    fs::set_permissions("/etc/cron.d/softboot", fs::Permissions::from_mode(0o644))
        .doing("making the job readable")
}

fn append(path: &str, text: &str) -> Result<(), Error> {
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(path)
        .doing(format!("opening {path}"))?;
    file.write_all(text.as_bytes()).doing(format!("writing {path}"))
}

fn redis(output: &mut Output) -> Result<(), Error> {
    control::start(REDIS)?;
    output.same(
        &ask("PING\r\n")?,
        &"+PONG".to_owned(),
        "redis is ready when its start ends",
    )?;
    let unit = Unit::get(REDIS)?;
    let main = unit.main_pid();
    let status = fs::read_to_string(format!("/proc/{main}/status")).doing("looking at redis")?;
    output.check(
        status.contains("Uid:\t110\t110") && status.contains("NoNewPrivs:\t1"),
        "redis runs as redis, and gets no new privileges",
    )?;
    let limits = fs::read_to_string(format!("/proc/{main}/limits")).doing("looking at redis")?;
    let files = limits.lines().find(|line| line.starts_with("Max open files"));
    output.note(format!(
        "LimitNOFILE=65535 became: {}",
        files.unwrap_or("nothing")
    ));
    let mode = fs::metadata("/run/redis")
        .doing("looking at /run/redis")?
        .permissions()
        .mode();
    output.same(
        &(mode & 0o7777),
        &0o2755,
        "RuntimeDirectoryMode=2755 is kept to the bit",
    )?;
    let shown = softctl(&["status", REDIS])?.stdout;
    output.check(
        shown.contains("PrivateDevices") && shown.contains("SystemCallFilter"),
        "status names the settings that nothing enforces",
    )?;
    output.same(&ask("SET kept 1\r\n")?, &"+OK".to_owned(), "redis takes a value")?;
    output.same(
        &softctl(&["reload", REDIS])?.code,
        &3,
        "redis has no reload, and softctl says so",
    )?;
    control::call("SoftReboot", serde_json::json!({"wait": true}))?;
    control::wait_running()?;
    control::start(REDIS)?;
    output.same(
        &ask("GET kept\r\n")?,
        &"$1".to_owned(),
        "redis saved at the stop of a soft-reboot, and has its value in the next userspace",
    )?;
    control::stop(REDIS)?;
    gone(output, REDIS)?;
    output.check(
        !Path::new("/run/redis").exists(),
        "and its runtime directory, too",
    )
}

/// The first line that redis answers.
fn ask(command: &str) -> Result<String, Error> {
    let mut stream = TcpStream::connect("127.0.0.1:6379").doing("connecting to redis")?;
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .doing("setting a limit")?;
    stream.write_all(command.as_bytes()).doing("asking redis")?;
    let mut answer = [0; 256];
    let length = stream.read(&mut answer).doing("hearing redis")?;
    let text = String::from_utf8_lossy(answer.get(..length).unwrap_or_default()).into_owned();
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn tinysshd(output: &mut Output) -> Result<(), Error> {
    control::start("tinysshd.socket")?;
    let connect = || -> Result<(TcpStream, String), Error> {
        let mut stream = TcpStream::connect("127.0.0.1:22").doing("connecting to port 22")?;
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .doing("setting a limit")?;
        let mut greeting = [0; 64];
        let length = stream
            .read(&mut greeting)
            .doing("reading the greeting")
            .map_err(|error| with_status(&error, "tinysshd*"))?;
        let text = String::from_utf8_lossy(greeting.get(..length).unwrap_or_default());
        Ok((stream, text.trim().to_owned()))
    };
    let (first, greeting) = connect()?;
    output.check(
        greeting.starts_with("SSH-2.0-"),
        format!("an ssh server greets with {greeting:?}"),
    )?;
    let (second, _) = connect()?;
    let instances = || -> Result<usize, Error> {
        let names = control::unit_names()?;
        Ok(names.iter().filter(|name| name.starts_with("tinysshd@")).count())
    };
    output.same(&instances()?, &2, "each connection has a service of its own")?;
    drop((first, second));
    wait_for("both services to end with their connections", || {
        Ok((instances()? == 0).then_some(()))
    })
    .map_err(|error| with_status(&error, "tinysshd*"))?;
    output.check(true, "which ends, and is forgotten, with its connection")?;
    control::stop("tinysshd.socket")?;
    output.check(
        TcpStream::connect("127.0.0.1:22").is_err(),
        "nobody listens after the stop of the socket",
    )
}

/// The error, with what softctl says of the units it is about.
fn with_status(error: &Error, units: &str) -> Error {
    let status = softctl(&["status", units])
        .map(|shown| shown.stdout)
        .unwrap_or_default();
    Error::Check(format!("{error}\n{status}"))
}

fn lighttpd(output: &mut Output) -> Result<(), Error> {
    // The image has a unit of its own in /etc, for socket activation. Without that the package's is in force.
    for unit in ["lighttpd.service", "lighttpd.socket"] {
        control::stop(unit)?;
    }
    fs::remove_file("/etc/systemd/system/lighttpd.service").doing("removing the image's own unit")?;
    control::call("Reload", serde_json::json!({}))?;
    control::start("lighttpd.service")?;
    output.same(
        &Unit::get("lighttpd.service")?.description(),
        &"Lighttpd Daemon",
        "the unit is the package's",
    )?;
    // Type=simple: started is not ready.
    wait_for("lighttpd to serve", || {
        Ok(net::is_page(&net::fetch()?).then_some(()))
    })?;
    output.check(true, "lighttpd serves")?;
    let before = Unit::get("lighttpd.service")?.main_pid();
    output.same(
        &softctl(&["reload", "lighttpd.service"])?.code,
        &0,
        "lighttpd reloads",
    )?;
    output.check(net::is_page(&net::fetch()?), "lighttpd serves after it")?;
    output.same(
        &(Unit::get("lighttpd.service")?.main_pid(), before > 0),
        &(before, true),
        "as the same process",
    )?;
    control::stop("lighttpd.service")?;
    gone(output, "lighttpd.service")
}

fn cron(output: &mut Output) -> Result<(), Error> {
    // It looks at the clock once a minute; waiting that long twice is enough.
    let ran = || Ok(Path::new(CRON_MARK).exists().then_some(()));
    wait_for("cron to run its job", ran).or_else(|_| wait_for("cron to run its job", ran))?;
    output.check(true, "cron runs its job")?;
    control::stop("cron.service")?;
    gone(output, "cron.service")
}

fn gone(output: &mut Output, unit: &str) -> Result<(), Error> {
    let unit_state = Unit::get(unit)?;
    output.same(
        &(unit_state.active(), unit_state.result()),
        &("inactive", "success"),
        format!("{unit} stops well"),
    )?;
    wait_for(format!("the cgroup of {unit} to be gone"), || {
        Ok((!Path::new(SLICE).join(unit).exists()).then_some(()))
    })
    .map_err(|error| with_status(&error, unit))?;
    output.check(true, format!("the cgroup of {unit} is gone"))
}
