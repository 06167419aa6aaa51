//! What a service sees in a root directory of its own, and what it may not write to anywhere.

use std::fs;
use std::path::Path;

use super::check::Output;
use super::control;
use super::inside::{SEEN, UNIT, attempt, inside, refused, seen_lines};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context, Error};

const ROOT: &str = "/run/softboot-rooted";

pub(super) fn run(output: &mut Output) -> Result<(), Error> {
    fs::create_dir_all(format!("{ROOT}/bin")).doing("making a root")?;
    for (program, place) in [("/bin/busybox", "bin/busybox"), ("/usr/bin/holdfds", "holdfds")] {
        fs::copy(program, format!("{ROOT}/{place}")).doing(format!("copying {program}"))?;
    }
    directories(output)?;
    links(output)?;
    notification(output)?;
    read_only(output)
}

/// A command in the root, which has no place to print to but what it is given.
fn rooted(settings: &str, script: &str) -> Result<(i32, String), Error> {
    let script = script.replace('%', "%%").replace('$', "$$");
    let settings = format!("RootDirectory={ROOT}\nStandardOutput=append:{SEEN}\n{settings}");
    let started = attempt(&settings, &format!("/bin/busybox sh -c '{script}'"))?;
    Ok((started, seen_lines()?))
}

fn directories(output: &mut Output) -> Result<(), Error> {
    let settings = "User=nobody\nRuntimeDirectory=rooted:rooted-also\nStateDirectory=rooted/deep closed::ro\nLogsDirectory=rooted\n\
         SetCredential=a:secret";
    let script = "for name in $RUNTIME_DIRECTORY /var/lib/rooted/deep $LOGS_DIRECTORY; do \
         busybox stat -c \"%n %u\" $name; busybox touch $name/own && echo writable; done; busybox readlink /run/rooted-also; \
         busybox cat $CREDENTIALS_DIRECTORY/a && echo; busybox touch /var/lib/closed/own || echo closed; busybox ls /run";
    let expected = "/run/rooted 65534\nwritable\n/var/lib/rooted/deep 65534\nwritable\n/var/log/rooted 65534\nwritable\n\
         /run/rooted\nsecret\ntouch: /var/lib/closed/own: Read-only file system\nclosed\ncredentials\nrooted\nrooted-also\n";
    let (started, seen) = rooted(settings, script)?;
    output.same(
        &(started, seen.as_str()),
        &(0, expected),
        "a service in another root has its directories and credentials, and nothing else of /run",
    )?;
    let entries = |path: &str| fs::read_dir(path).map_or(0, Iterator::count);
    output.same(
        &(
            Path::new("/var/lib/rooted/deep/own").exists(),
            entries(&format!("{ROOT}/var/lib/rooted/deep")),
            entries(&format!("{ROOT}/run/credentials/{UNIT}")),
            Path::new("/run/rooted").exists(),
        ),
        &(true, 0, 0, false),
        "its files are the system's, its root has places for them, and what was below /run is gone",
    )?;
    let mounts = fs::read_to_string("/proc/1/mountinfo").doing("reading PID 1's mounts")?;
    output.check(
        !mounts.contains("rooted"),
        "PID 1 has none of the mounts of the service",
    )
}

/// A root is whoever's it is; a link in it leads to no place outside.
fn links(output: &mut Output) -> Result<(), Error> {
    let outside = "/run/softboot-outside";
    fs::create_dir_all(outside).doing("making a directory outside")?;
    fs::create_dir_all(format!("{ROOT}{outside}")).doing("making one of the same name inside")?;
    std::os::unix::fs::symlink(outside, format!("{ROOT}/var/cache")).doing("making a link")?;
    let (started, seen) = rooted(
        "CacheDirectory=rooted",
        "busybox touch $CACHE_DIRECTORY/own; busybox ls /run/softboot-outside/rooted",
    )?;
    let found = fs::read_dir(outside).map_or(0, Iterator::count);
    output.same(
        &(started, seen.as_str(), found),
        &(0, "own\n", 0),
        "a link in the root leads to a place in the root",
    )?;
    fs::remove_file(format!("{ROOT}/var/cache")).doing("removing the link")?;
    fs::write(format!("{ROOT}/var/cache"), "").doing("standing in the way")?;
    refused(
        output,
        &format!("RootDirectory={ROOT}\nCacheDirectory=rooted"),
        226,
        "mount namespace",
    )
}

fn notification(output: &mut Output) -> Result<(), Error> {
    let name = "rooted.service";
    let _unit = UnitFile::install(
        name,
        &format!(
            "[Service]\nType=notify\nRootDirectory={ROOT}\nFileDescriptorStoreMax=8\nExecStart=/holdfds 3\n"
        ),
    )?;
    control::start(name)?;
    let status = softctl(&["status", name])?.stdout;
    output.check(
        status.contains("0 returned, 0 intact, 3 stored") && status.contains("FD store: 3"),
        format!("a service in another root says that it is ready, and stores descriptors:\n{status}"),
    )?;
    control::stop(name)
}

fn read_only(output: &mut Output) -> Result<(), Error> {
    let seen = inside(
        "RuntimeDirectory=inside::ro other\nStateDirectory=inside::ro\nExecStartPre=+/bin/busybox touch /run/inside/plus",
        "busybox ls /run/inside; for name in /run/inside /var/lib/inside /run/other; do \
         busybox touch $name/own 2>/dev/null && echo $name; done; busybox touch /run/softboot-beside && echo beside",
    )?;
    output.same(
        &seen.as_str(),
        &"plus\n/run/other\nbeside\n",
        "with :ro a directory is closed for the unit, but not for commands with +",
    )
}
