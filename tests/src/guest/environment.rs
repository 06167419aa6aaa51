//! What the processes of a service are given, seen from inside them.

use std::fs;
use std::path::Path;

use super::check::{Output, wait_for};
use super::inside::{SEEN, UNIT, attempt, inside, install, refused, seen_lines, shell};
use super::softctl::softctl;
use super::units::UnitFile;
use super::{Options, control, plain, rooted};
use crate::error::{Context, Error};

const CGROUP: &str = "/sys/fs/cgroup/system.slice/inside.service";

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    resources(output)?;
    delegation(output)?;
    rights(output)?;
    scheduling(output)?;
    plain::run(output)?;
    root(output)?;
    rooted::run(output)?;
    directories(output)?;
    credentials(output)?;
    variables(output)?;
    streams(output)
}

fn resources(output: &mut Output) -> Result<(), Error> {
    let available =
        fs::read_to_string("/sys/fs/cgroup/cgroup.controllers").doing("reading the controllers")?;
    let _slice = UnitFile::write("inside.slice", "[Slice]\nTasksMax=77\nCPUWeight=33\n")?;
    let settings = "Slice=inside.slice\nMemoryHigh=64M\nMemoryMax=128M\nTasksMax=55\nCPUQuota=20%\nCPUWeight=idle\nOOMPolicy=kill";
    let group = "/sys/fs/cgroup/inside.slice/inside.service";
    let files = [
        ("memory", "memory.high", "67108864"),
        ("memory", "memory.max", "134217728"),
        ("memory", "memory.oom.group", "1"),
        ("pids", "pids.max", "55"),
        ("pids", "../pids.max", "77"),
        ("cpu", "cpu.max", "20000 100000"),
        ("cpu", "cpu.idle", "1"),
        ("cpu", "../cpu.weight", "33"),
    ];
    let script: Vec<String> = files
        .iter()
        .map(|(_, file, _)| format!("echo {file} $(busybox cat {group}/{file} 2>/dev/null)"))
        .collect();
    let seen = inside(settings, &script.join("; "))?;
    let log = softctl(&["logs", "-n", "100", UNIT])?.stdout;
    for (controller, file, value) in files {
        if available.split_whitespace().any(|known| known == controller) {
            output.check(
                seen.contains(&format!("{file} {value}")),
                format!("{file} is {value}:\n{seen}"),
            )?;
        } else {
            let name = file.trim_start_matches("../");
            output.check(
                log.contains(&format!("{name} cannot be set to {value} here")),
                format!(
                    "there is no {controller} controller, and the log says that {name} is not {value}:\n{log}"
                ),
            )?;
        }
    }
    Ok(())
}

fn delegation(output: &mut Output) -> Result<(), Error> {
    let owners = format!(
        "busybox stat -c %u {CGROUP} {CGROUP}/cgroup.procs {CGROUP}/cgroup.subtree_control {CGROUP}/cgroup.events; \
         busybox grep ^0:: /proc/self/cgroup; busybox mkdir {CGROUP}/own && echo made"
    );
    let seen = inside("User=nobody\nDelegate=yes\nDelegateSubgroup=payload", &owners)?;
    output.same(
        &seen.as_str(),
        &"65534\n65534\n65534\n0\n0::/system.slice/inside.service/payload\nmade\n",
        "a delegated group is its user's, and the main process is in its subgroup",
    )?;
    let stop = format!(
        "RemainAfterExit=yes\nDelegate=yes\nExecStop={}",
        shell("busybox grep ^0:: /proc/self/cgroup")
    );
    inside(&stop, "true")?;
    control::stop(UNIT)?;
    output.same(
        &seen_lines()?.as_str(),
        &"0::/system.slice/inside.service/.control\n",
        "what stops a delegated unit runs in .control",
    )?;
    output.check(!Path::new(CGROUP).exists(), "and its groups are gone after it")
}

fn rights(output: &mut Output) -> Result<(), Error> {
    let status = "busybox grep -E \"^(Uid|Groups|Cap...|NoNewPrivs):\" /proc/self/status";
    let lines = |text: &str| text.replace('\t', " ").replace(" \n", "\n");
    let seen = lines(&inside(
        "User=nobody\nSupplementaryGroups=4711 12\nNoNewPrivileges=yes\n\
         CapabilityBoundingSet=CAP_KILL CAP_NET_BIND_SERVICE\nAmbientCapabilities=CAP_NET_BIND_SERVICE",
        status,
    )?);
    for line in [
        "Uid: 65534 65534 65534 65534",
        "CapInh: 0000000000000400",
        "CapPrm: 0000000000000400",
        "CapEff: 0000000000000400",
        "CapBnd: 0000000000000420",
        "CapAmb: 0000000000000400",
        "NoNewPrivs: 1",
    ] {
        output.check(
            seen.lines().any(|found| found == line),
            format!("a process of nobody has {line}:\n{seen}"),
        )?;
    }
    let groups = seen
        .lines()
        .find_map(|line| line.strip_prefix("Groups: "))
        .unwrap_or_default();
    let groups: Vec<&str> = groups.split_whitespace().collect();
    output.check(
        groups.contains(&"4711") && groups.contains(&"12") && !groups.contains(&"0"),
        format!("its groups are {groups:?}"),
    )?;

    let seen = lines(&inside("CapabilityBoundingSet=~CAP_KILL", status)?);
    let all = number(&seen, "CapBnd: ");
    let own = fs::read_to_string("/proc/self/status").doing("reading the own status")?;
    let before = number(&lines(&own), "CapBnd: ");
    output.same(
        &(all, number(&seen, "CapEff: ")),
        &(before & !(1 << 5), before & !(1 << 5)),
        "root has every capability but the one that is taken away",
    )?;

    for (prefix, uid, bounding) in [("+", "0", before), ("!", "0", 1 << 5)] {
        let settings = "User=nobody\nCapabilityBoundingSet=CAP_KILL";
        let started = attempt(settings, &format!("{prefix}{}", shell(status)))?;
        let seen = lines(&seen_lines()?);
        output.same(
            &(
                started,
                seen.contains(&format!("Uid: {uid} ")),
                number(&seen, "CapBnd: "),
            ),
            &(0, true, bounding),
            format!("{prefix} runs as root, with the bounding set {bounding:x}"),
        )?;
    }
    // noroot: root is a user like others.
    let seen = lines(&inside("SecureBits=noroot noroot-locked", status)?);
    output.same(
        &number(&seen, "CapEff: "),
        &0,
        "with SecureBits=noroot root has no capabilities",
    )?;
    refused(
        output,
        "AmbientCapabilities=CAP_KILL\nCapabilityBoundingSet=CAP_CHOWN",
        218,
        "the capabilities",
    )?;
    refused(output, "SupplementaryGroups=no-such-group", 216, "no-such-group")
}

fn scheduling(output: &mut Output) -> Result<(), Error> {
    let seen = inside(
        "CPUSchedulingPolicy=batch\nIOSchedulingClass=idle\nNice=5",
        "busybox cut -d\" \" -f19,41 /proc/self/stat; busybox ionice -p $$",
    )?;
    output.same(
        &seen.as_str(),
        &"5 3\nidle\n",
        "nice value, policy and I/O class are the unit's",
    )?;
    refused(
        output,
        "CPUSchedulingPolicy=batch\nCPUSchedulingPriority=3",
        214,
        "CPUSchedulingPriority=3",
    )?;
    refused(output, "Personality=mips64", 230, "Personality=mips64")
}

fn root(output: &mut Output) -> Result<(), Error> {
    let place = "/run/softboot-root";
    fs::create_dir_all(format!("{place}/bin")).doing("making a root")?;
    fs::copy("/bin/busybox", format!("{place}/bin/busybox")).doing("filling it")?;
    fs::write(format!("{place}/mark"), "inside\n").doing("marking it")?;
    let settings = format!("RootDirectory={place}\nStandardOutput=append:{SEEN}");
    for (command, expected) in [
        ("busybox cat /mark", "inside\n"),
        ("/bin/busybox pwd", "/\n"),
        ("+/bin/busybox head -c 3 /etc/passwd", "roo"),
    ] {
        let started = attempt(&settings, command)?;
        output.same(
            &(started, seen_lines()?.as_str()),
            &(0, expected),
            format!("in another root, {command:?} prints {expected:?}"),
        )?;
    }
    let outside = shell("busybox test -e /mark || echo outside");
    let started = attempt(
        &format!("RootDirectoryStartOnly=yes\nExecStartPre={outside}\n{settings}"),
        "busybox cat /mark",
    )?;
    output.same(
        &(started, seen_lines()?.as_str()),
        &(0, "outside\ninside\n"),
        "RootDirectoryStartOnly= is for ExecStart= alone",
    )?;
    refused(output, "RootDirectory=/no/such/root", 210, "the root directory")
}

fn directories(output: &mut Output) -> Result<(), Error> {
    let settings = "User=nobody\nStateDirectory=inside/deep:inside-link\nStateDirectoryMode=0750\n\
         CacheDirectory=inside\nLogsDirectory=inside other\nConfigurationDirectory=inside\nRuntimeDirectory=inside:inside-also";
    let script = "for name in $STATE_DIRECTORY $CACHE_DIRECTORY $CONFIGURATION_DIRECTORY $RUNTIME_DIRECTORY; do \
         busybox stat -c \"%n %a %u %g\" $name; done; echo $LOGS_DIRECTORY; busybox readlink /var/lib/inside-link; \
         busybox readlink /run/inside-also; busybox touch $STATE_DIRECTORY/own && echo writable";
    let seen = inside(settings, script)?;
    let expected = "/var/lib/inside/deep 750 65534 65534\n/var/cache/inside 755 65534 65534\n/etc/inside 755 0 0\n\
         /run/inside 755 65534 65534\n/var/log/inside:/var/log/other\n/var/lib/inside/deep\n/run/inside\nwritable\n";
    output.same(
        &seen.as_str(),
        &expected,
        "directories have their owners, modes and variables",
    )?;
    output.check(
        !Path::new("/run/inside").exists()
            && fs::symlink_metadata("/run/inside-also").is_err()
            && Path::new("/var/lib/inside/deep/own").exists(),
        "what is below /run is gone after the service, what is on a disk is not",
    )?;
    fs::write("/var/cache/blocked", "").doing("standing in the way")?;
    refused(output, "CacheDirectory=blocked", 239, "the cache directory")?;
    for (preserve, kept) in [("no", false), ("restart", true), ("yes", true)] {
        let settings =
            format!("RemainAfterExit=yes\nRuntimeDirectory=inside\nRuntimeDirectoryPreserve={preserve}");
        let mark = shell("busybox ls $RUNTIME_DIRECTORY; busybox touch $RUNTIME_DIRECTORY/mark");
        let unit = install(&settings, &mark)?;
        control::restart(UNIT)?;
        control::restart(UNIT)?;
        output.same(
            &(seen_lines()? == "mark\n"),
            &kept,
            format!("RuntimeDirectoryPreserve={preserve} over a restart"),
        )?;
        control::stop(UNIT)?;
        output.same(
            &Path::new("/run/inside").exists(),
            &(preserve == "yes"),
            format!("RuntimeDirectoryPreserve={preserve} over a stop"),
        )?;
        drop(unit);
    }
    fs::remove_dir_all("/run/inside").doing("removing what was kept")?;
    between_runs(output)?;
    of_a_socket(output)
}

/// RuntimeDirectoryPreserve= where Restart= brings the next run.
fn between_runs(output: &mut Output) -> Result<(), Error> {
    for (preserve, kept) in [("no", false), ("restart", true)] {
        let script = "if busybox test $(busybox wc -l </run/inside-runs) -ge 2; then echo third >>/run/inside-runs; \
             exec busybox sleep 1000; fi; echo run >>/run/inside-runs; busybox ls $RUNTIME_DIRECTORY; busybox touch $RUNTIME_DIRECTORY/mark; \
             exit 1";
        fs::write("/run/inside-runs", "").doing("counting the runs")?;
        let settings = format!(
            "Type=simple\nRestart=on-failure\nRestartSec=0\nRuntimeDirectory=inside\nRuntimeDirectoryPreserve={preserve}"
        );
        let unit = install(&settings, &shell(script))?;
        control::start(UNIT)?;
        wait_for("the third run", || {
            // The second one is still at work after its line.
            let runs = fs::read_to_string("/run/inside-runs").unwrap_or_default();
            Ok((runs.lines().next_back() == Some("third")).then_some(()))
        })?;
        output.same(
            &(seen_lines()? == "mark\n"),
            &kept,
            format!("RuntimeDirectoryPreserve={preserve} over an automatic restart"),
        )?;
        control::stop(UNIT)?;
        output.check(
            !Path::new("/run/inside").exists(),
            format!("with RuntimeDirectoryPreserve={preserve} the directory is gone after a stop"),
        )?;
        drop(unit);
    }
    Ok(())
}

/// What the commands of a socket had below /run.
fn of_a_socket(output: &mut Output) -> Result<(), Error> {
    fs::write(SEEN, "").doing("emptying what was seen")?;
    let _service = UnitFile::write(
        "of-a-socket.service",
        "[Service]\nExecStart=/bin/busybox sleep 1000\n",
    )?;
    let script = "busybox ls -d $RUNTIME_DIRECTORY; busybox cat $CREDENTIALS_DIRECTORY/a";
    let text = format!(
        "[Socket]\nListenStream=/run/of-a-socket.s\nRuntimeDirectory=of-a-socket\nSetCredential=a:text\nExecStartPre={}\n",
        shell(script)
    );
    let _socket = UnitFile::install("of-a-socket.socket", &text)?;
    control::start("of-a-socket.socket")?;
    output.same(
        &seen_lines()?.as_str(),
        &"/run/of-a-socket\ntext",
        "a socket's commands have a directory and credentials",
    )?;
    control::stop("of-a-socket.socket")?;
    output.check(
        !Path::new("/run/of-a-socket").exists() && !Path::new("/run/credentials/of-a-socket.socket").exists(),
        "and both are gone when it has stopped",
    )
}

fn credentials(output: &mut Output) -> Result<(), Error> {
    let source = "/run/softboot-secret";
    fs::write(source, "secret\n").doing("writing a secret")?;
    fs::set_permissions(
        source,
        <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o600),
    )
    .doing("keeping it secret")?;
    let settings = format!(
        "User=nobody\nLoadCredential=file:{source}\nLoadCredential=absent:/no/such/file\nSetCredential=absent:text\n\
         SetCredential=set:a\\x20b"
    );
    let script = "cd $CREDENTIALS_DIRECTORY; busybox pwd; busybox stat -c \"%n %a %u\" . file; busybox cat file absent set; \
         echo; busybox touch x 2>/dev/null || echo closed";
    let seen = inside(&settings, script)?;
    output.same(
        &seen.as_str(),
        &"/run/credentials/inside.service\n. 500 65534\nfile 400 65534\nsecret\ntexta b\nclosed\n",
        "credentials are the user's to read",
    )?;
    output.check(
        !Path::new("/run/credentials/inside.service").exists(),
        "and gone after the service",
    )?;
    refused(output, "LoadCredential=a:/no/such/file", 243, "the credentials")?;
    fs::create_dir_all("/run/credentials/@system").doing("making the machine's credentials")?;
    fs::write("/run/credentials/@system/inside.a", "imported\n").doing("writing one")?;
    let seen = inside(
        "ImportCredential=inside.*:mine.\nImportCredential=no-such.*",
        "cd $CREDENTIALS_DIRECTORY; busybox ls; busybox cat mine.a",
    )?;
    output.same(
        &seen.as_str(),
        &"mine.a\nimported\n",
        "credentials of the machine are imported under another name",
    )
}

fn variables(output: &mut Output) -> Result<(), Error> {
    let file = "/run/softboot-variables";
    fs::write(file, "# A=0\nA=file \\\n  goes on\nB='x\ny'\nGONE=1\n").doing("writing variables")?;
    let settings = format!(
        "Environment=A=unit GONE=2 KEPT=3\nEnvironmentFile={file}\nEnvironmentFile=-/no/such/file\n\
         UnsetEnvironment=GONE KEPT=4\nPIDFile=/run/inside.pid"
    );
    let script = "echo \"$A,$B,$GONE,$KEPT,$PIDFILE\"; busybox test $SYSTEMD_EXEC_PID = $$ && echo itself";
    let seen = inside(&settings, script)?;
    output.same(
        &seen.as_str(),
        &"file   goes on,x\ny,,3,/run/inside.pid\nitself\n",
        "variables come from the unit, its files and PID 1, in this order",
    )?;
    for (settings, expected) in [
        ("", ",,\n"),
        ("SetLoginEnvironment=yes", "root,root,/root\n"),
        ("User=nobody\nSetLoginEnvironment=no", ",,\n"),
    ] {
        let seen = inside(settings, "echo $USER,$LOGNAME,$HOME")?;
        output.same(
            &seen.as_str(),
            &expected,
            format!("with {settings:?} the variables of a login are {expected:?}"),
        )?;
    }
    refused(
        output,
        "EnvironmentFile=-/run/no-such-*.conf",
        203,
        "patterns are not supported",
    )
}

fn streams(output: &mut Output) -> Result<(), Error> {
    let seen = inside(
        "StandardInput=data\nStandardInputText=one\nStandardInputData=dHdvCg==",
        "busybox cat",
    )?;
    output.same(&seen.as_str(), &"one\ntwo\n", "standard input can be in the unit")?;
    refused(output, "StandardInput=fd:nothing", 208, "fd:nothing")?;
    let secret = "/run/softboot-secret";
    let seen = inside(
        &format!("User=nobody\nOpenFile={secret}:mine:read-only\nOpenFile=/no/such/file:absent:graceful"),
        &format!(
            "echo $LISTEN_FDS $LISTEN_FDNAMES; busybox cat <&3; busybox cat {secret} 2>/dev/null || echo closed"
        ),
    )?;
    output.same(
        &seen.as_str(),
        &"1 mine\nsecret\nclosed\n",
        "a file that the user may not open is passed",
    )?;
    refused(output, "OpenFile=/no/such/file", 202, "opening the files")
}

/// The number in hexadecimal after `name`.
fn number(status: &str, name: &str) -> u64 {
    let found = status.lines().find_map(|line| line.strip_prefix(name));
    found
        .and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok())
        .unwrap_or(u64::MAX)
}
