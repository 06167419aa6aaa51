//! Real processes, each a shell that says what it sees.

mod mounts;
mod surroundings;

use std::ffi::CString;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{WaitId, WaitIdOptions, waitid};

use super::*;

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

fn null() -> OwnedFd {
    File::options()
        .read(true)
        .write(true)
        .open("/dev/null")
        .unwrap()
        .into()
}

/// Runs a shell script with what `adjust` adds; its output and exit code.
fn shell(script: &str, adjust: impl FnOnce(&mut SpawnPlan<'_>)) -> (String, i32) {
    shell_with(script, &[], &[], adjust)
}

/// The same with descriptors to pass from 3 upwards, or to keep.
fn shell_with(
    script: &str,
    fds: &[BorrowedFd<'_>],
    keep: &[BorrowedFd<'_>],
    adjust: impl FnOnce(&mut SpawnPlan<'_>),
) -> (String, i32) {
    let null = null();
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    let argv = vec![c("sh"), c("-c"), c(script)];
    let env = vec![c("A=b"), c("PATH=/usr/bin:/bin")];
    let stdio = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    let mut plan = SpawnPlan::new(c("/bin/sh"), argv, env, stdio);
    plan.fds = fds.to_vec();
    plan.keep = keep.to_vec();
    adjust(&mut plan);
    let spawned = spawn(&plan).unwrap();
    drop(plan);
    drop(writer);
    let mut text = String::new();
    File::from(reader).read_to_string(&mut text).unwrap();
    (text, wait(&spawned))
}

fn wait(spawned: &Spawned) -> i32 {
    let status = waitid(WaitId::PidFd(spawned.pidfd.as_fd()), WaitIdOptions::EXITED)
        .unwrap()
        .unwrap();
    status.exit_status().unwrap_or(-1)
}

fn outcome(spawned: &Spawned) -> ExecStatus {
    loop {
        match exec_status(spawned.status.as_fd()).unwrap() {
            ExecStatus::Pending => {
                poll(&mut [PollFd::new(&spawned.status, PollFlags::IN)], None).unwrap();
            }
            other => return other,
        }
    }
}

#[test]
fn a_program_gets_its_arguments_its_environment_and_its_streams() {
    assert_eq!(shell("echo $A $0; exit 7", |_| {}), ("b sh\n".to_owned(), 7));
}

#[test]
fn passed_descriptors_stand_from_three_in_their_order() {
    let files: Vec<tempfile::NamedTempFile> = (0..5)
        .map(|number| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), format!("file{number}\n")).unwrap();
            file
        })
        .collect();
    let open: Vec<File> = files
        .iter()
        .map(|file| File::open(file.path()).unwrap())
        .collect();
    // The highest first, so that numbers cross.
    let passed: Vec<BorrowedFd<'_>> = open.iter().rev().map(|file| file.as_fd()).collect();
    let script = "cat <&3; cat <&4; cat <&5; cat <&6; cat <&7; ls /proc/self/fd | wc -l";
    let (text, _) = shell_with(script, &passed, &[], |_| {});
    // 0 to 7, and the directory that ls reads: nothing else leaks.
    assert_eq!(text, "file4\nfile3\nfile2\nfile1\nfile0\n9\n");
}

#[test]
fn sources_that_stand_on_each_others_targets_are_not_mixed_up() {
    let files: Vec<File> = (0..4)
        .map(|number| {
            let fd = rustix::fs::memfd_create(format!("m{number}"), rustix::fs::MemfdFlags::CLOEXEC).unwrap();
            rustix::io::pwrite(&fd, format!("m{number}").as_bytes(), 0).unwrap();
            File::from(fd)
        })
        .collect();
    let mut order: Vec<BorrowedFd<'_>> = files.iter().map(|file| file.as_fd()).collect();
    for _ in 0..4 {
        order.rotate_left(1);
        let script = "cat /proc/$$/fd/3 /proc/$$/fd/4 /proc/$$/fd/5 /proc/$$/fd/6";
        let (text, _) = shell_with(script, &order, &[], |_| {});
        let expected: String = order
            .iter()
            .map(|fd| {
                files
                    .iter()
                    .position(|f| std::os::fd::AsRawFd::as_raw_fd(f) == std::os::fd::AsRawFd::as_raw_fd(fd))
            })
            .map(|position| format!("m{}", position.unwrap()))
            .collect();
        assert_eq!(text, expected);
    }
}

#[test]
fn any_order_with_any_repetition_is_placed() {
    let files: Vec<OwnedFd> = (0..40)
        .map(|number| {
            rustix::fs::memfd_create(format!("m{number}"), rustix::fs::MemfdFlags::CLOEXEC).unwrap()
        })
        .collect();
    // Numbers of the files and of the targets overlap, so there are chains, circles and files that stay.
    let mut random: u64 = 7;
    for round in 0..40 {
        let mut next = || {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            usize::try_from(random >> 33).unwrap()
        };
        let mut order: Vec<usize> = (0..files.len()).collect();
        for place in (1..order.len()).rev() {
            order.swap(place, next() % (place + 1));
        }
        for _ in 0..round % 4 {
            let (from, to) = (next() % order.len(), next() % order.len());
            order[to] = order[from];
        }
        let passed: Vec<BorrowedFd<'_>> = order.iter().map(|file| files[*file].as_fd()).collect();
        let (text, _) = shell_with("ls -l /proc/$$/fd", &passed, &[], |_| {});
        let found: std::collections::BTreeMap<usize, usize> = text
            .lines()
            .filter_map(|line| {
                let (number, file) = line.split_once(" -> /memfd:m")?;
                let number = number.rsplit(' ').next()?.parse().ok()?;
                Some((number, file.split(' ').next()?.parse().ok()?))
            })
            .collect();
        let wanted = order.iter().enumerate().map(|(place, file)| (place + 3, *file));
        assert_eq!(found, wanted.collect(), "{order:?}");
    }
}

#[test]
fn the_child_is_told_its_own_number() {
    let (text, _) = shell("echo $LISTEN_PID $$", |plan| plan.listen_pid = true);
    let (told, own) = text.trim().split_once(' ').unwrap();
    assert_eq!(told, own);
}

#[test]
fn a_missing_program_is_reported_with_its_step() {
    let null = null();
    let fd = null.as_fd();
    let spawned = spawn(&SpawnPlan::new(
        c("/no/such/program"),
        vec![c("x")],
        vec![],
        [fd, fd, fd],
    ))
    .unwrap();
    let expected = ExecStatus::Failed {
        step: Step::Exec,
        errno: rustix::io::Errno::NOENT,
        code: 203,
    };
    assert_eq!(outcome(&spawned), expected);
    assert_eq!(wait(&spawned), 203);
}

#[test]
fn a_missing_directory_is_an_error_unless_it_is_optional() {
    let missing = || Some((c("/no/such/directory"), false));
    let (_, code) = shell("exit 0", |plan| plan.working_directory = missing());
    assert_eq!(code, 200);
    let (_, code) = shell("exit 3", |plan| {
        plan.working_directory = missing().map(|(path, _)| (path, true))
    });
    assert_eq!(code, 3);
}

#[test]
fn limits_mask_and_privileges_are_set() {
    let (text, _) = shell(
        "ulimit -n; umask; grep NoNewPrivs /proc/self/status | tr -d '\\t'",
        |plan| {
            plan.rlimits = vec![(7, 64, 64)];
            plan.umask = 0o077;
            plan.no_new_privileges = true;
        },
    );
    assert_eq!(text, "64\n0077\nNoNewPrivs:1\n");
}

#[test]
fn a_limit_beyond_what_may_be_had_is_the_most_that_may_be_had() {
    const NOFILE: u32 = 7;
    let (most, _) = shell("ulimit -Hn", |_| {});
    let (text, code) = shell("ulimit -Hn; ulimit -Sn", |plan| {
        plan.rlimits = vec![(NOFILE, 64, u64::MAX)];
    });
    assert_eq!((text, code), (format!("{most}64\n"), 0));
}

#[test]
fn an_executed_program_closes_the_pipe() {
    let null = null();
    let fd = null.as_fd();
    let spawned = spawn(&SpawnPlan::new(
        c("/bin/true"),
        vec![c("true")],
        vec![],
        [fd, fd, fd],
    ))
    .unwrap();
    assert_eq!(outcome(&spawned), ExecStatus::Executed);
    assert_eq!(wait(&spawned), 0);
}

#[test]
fn kept_descriptors_stay_at_their_numbers() {
    let file = File::open("/etc/hostname").unwrap();
    let number = std::os::fd::AsRawFd::as_raw_fd(&file);
    let (text, _) = shell_with(
        &format!("readlink /proc/$$/fd/{number}"),
        &[],
        &[file.as_fd()],
        |_| {},
    );
    assert_eq!(text, "/etc/hostname\n");
}

#[test]
fn what_this_program_ignores_a_service_does_not() {
    // The Rust runtime ignores SIGPIPE in this very process.
    let ignored = |adjust: fn(&mut SpawnPlan<'_>)| {
        let (text, _) = shell("grep SigIgn /proc/self/status", adjust);
        u64::from_str_radix(text.trim().rsplit('\t').next().unwrap(), 16).unwrap()
    };
    assert_eq!(ignored(|_| {}), 0);
    let sigpipe = ignored(|plan| {
        plan.ignore_sigpipe = true;
    });
    assert_eq!(sigpipe, 1 << (13 - 1));
}
