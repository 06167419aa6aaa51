//! What a process is born into: directories, credentials, scheduling.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::*;

fn path(at: &Path) -> CString {
    c(at.to_str().unwrap())
}

fn directory(base: &Path, parts: &[&str], mode: u32) -> Preparation {
    Preparation {
        step: Step::StateDirectory,
        task: Task::Directory(Directory {
            base: path(base),
            parts: parts.iter().map(|part| c(part)).collect(),
            mode,
            owner: None,
        }),
    }
}

fn credential(at: &Path, source: Option<&Path>, fallback: Option<&str>, optional: bool) -> Preparation {
    Preparation {
        step: Step::Credentials,
        task: Task::Credential(Credential {
            source: source.map(path),
            fallback: fallback.map(|text| text.as_bytes().to_vec()),
            optional,
            draft: path(&at.join(".secret.new")),
            path: path(&at.join("secret")),
            owner: (u32::MAX, u32::MAX),
        }),
    }
}

#[test]
fn directories_are_made_with_their_parents_whatever_the_mask() {
    let place = tempfile::tempdir().unwrap();
    let base = place.path().join("lib");
    let (_, code) = shell("exit 0", |plan| {
        plan.umask = 0o077;
        plan.preparations = vec![directory(&base, &["a", "b"], 0o2750)];
    });
    assert_eq!(code, 0);
    let mode = |name: &str| std::fs::metadata(base.join(name)).unwrap().mode() & 0o7777;
    assert_eq!((mode("a"), mode("a/b")), (0o755, 0o2750));
    let (_, code) = shell("exit 0", |plan| {
        plan.preparations = vec![directory(&base, &["a", "b"], 0o700)];
    });
    assert_eq!((code, mode("a/b")), (0, 0o700), "what is there gets the mode");
}

#[test]
fn a_link_below_the_first_part_leads_nowhere() {
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("target");
    std::fs::create_dir_all(place.path().join("lib/a")).unwrap();
    std::fs::create_dir(&target).unwrap();
    std::os::unix::fs::symlink(&target, place.path().join("lib/a/b")).unwrap();
    std::os::unix::fs::symlink(&target, place.path().join("lib/c")).unwrap();
    let base = place.path().join("lib");
    let run = |parts: &[&str]| {
        let (_, code) = shell("exit 0", |plan| {
            plan.preparations = vec![directory(&base, parts, 0o711)];
        });
        (code, std::fs::metadata(&target).unwrap().mode() & 0o777)
    };
    assert_eq!(run(&["a", "b"]), (238, 0o755));
    assert_eq!(run(&["c"]), (0, 0o711), "the administrator's link is followed");
}

#[test]
fn a_link_that_says_something_else_is_not_replaced() {
    let place = tempfile::tempdir().unwrap();
    let link = |target: &str| Preparation {
        step: Step::CacheDirectory,
        task: Task::Link {
            target: c(target),
            path: path(&place.path().join("link")),
        },
    };
    for (target, expected) in [("one", 0), ("one", 0), ("two", 239)] {
        let (_, code) = shell("exit 0", |plan| plan.preparations = vec![link(target)]);
        assert_eq!(code, expected, "{target}");
    }
    assert_eq!(
        std::fs::read_link(place.path().join("link")).unwrap(),
        Path::new("one")
    );
}

#[test]
fn a_credential_is_its_file_else_its_text() {
    let place = tempfile::tempdir().unwrap();
    let source = place.path().join("source");
    let secret = place.path().join("secret");
    let run = |preparation: Preparation| {
        let _ = std::fs::remove_file(&secret);
        let (_, code) = shell("exit 0", |plan| plan.preparations = vec![preparation]);
        (code, std::fs::read(&secret).ok())
    };
    let own = place.path();
    let text = |text: &str| Some(text.as_bytes().to_vec());
    assert_eq!(run(credential(own, Some(&source), None, false)), (243, None));
    assert_eq!(run(credential(own, Some(&source), None, true)), (0, None));
    assert_eq!(
        run(credential(own, Some(&source), Some("text"), false)),
        (0, text("text"))
    );
    std::fs::write(&source, vec![7; 100_000]).unwrap();
    assert_eq!(
        run(credential(own, Some(&source), Some("text"), false)),
        (0, Some(vec![7; 100_000]))
    );
    std::fs::write(&source, vec![7; 1024 * 1024 + 1]).unwrap();
    assert_eq!(
        run(credential(own, Some(&source), None, false)),
        (243, None),
        "too long"
    );
    assert_eq!(
        run(credential(own, Some(own), None, false)),
        (243, None),
        "a directory"
    );
}

#[test]
fn policy_priority_and_personality_are_the_kernels() {
    const SCHED_BATCH: i32 = 3;
    const IDLE: i32 = 3 << 13;
    const PER_LINUX32: u64 = 8;
    let (text, code) = shell(
        "cut -d' ' -f41 /proc/$$/stat; cat /proc/$$/personality; uname -m",
        |plan| {
            plan.scheduling = Some(Scheduling {
                policy: SCHED_BATCH,
                priority: 0,
                reset_on_fork: false,
            });
            plan.io_priority = Some(IDLE);
            plan.personality = Some(PER_LINUX32);
        },
    );
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with("3\n00000008\n"), "{text}");
}

#[test]
fn a_policy_that_there_is_not_has_its_exit_code() {
    let (_, code) = shell("exit 0", |plan| {
        plan.scheduling = Some(Scheduling {
            policy: 99,
            priority: 0,
            reset_on_fork: false,
        });
    });
    assert_eq!(code, 214);
    let (_, code) = shell("exit 0", |plan| plan.io_priority = Some(7 << 13));
    assert_eq!(code, 211);
}

#[test]
fn a_missing_program_gives_way_to_the_next_one() {
    let (text, code) = shell("echo here", |plan| {
        plan.alternatives = vec![c("/no/such/sh"), plan.program.clone()];
        plan.program = c("/etc/hostname/sh");
    });
    assert_eq!((text.as_str(), code), ("here\n", 0));
    let (_, code) = shell("exit 0", |plan| {
        plan.alternatives = vec![plan.program.clone()];
        plan.program = c("/");
    });
    assert_eq!(code, 203, "one that cannot be executed does not");
}

#[test]
fn the_child_says_which_process_was_executed() {
    let (text, _) = shell("echo $SYSTEMD_EXEC_PID $LISTEN_PID $$", |plan| {
        plan.exec_pid = true
    });
    let words: Vec<&str> = text.split_whitespace().collect();
    assert!(matches!(words.as_slice(), [told, own] if told == own), "{text}");
}

#[test]
fn a_terminal_is_taken_reset_and_sized() {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcgetwinsize, tcsetattr};

    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY | rustix::fs::OFlags::CLOEXEC;
    let tty = rustix::fs::open(&*name, flags, rustix::fs::Mode::empty()).unwrap();
    let mut modes = tcgetattr(&tty).unwrap();
    modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON;
    tcsetattr(&tty, OptionalActions::Now, &modes).unwrap();
    let mut plan = SpawnPlan::new(
        c("/bin/sh"),
        vec![c("sh"), c("-c"), c("exec 3</dev/tty")],
        vec![],
        [tty.as_fd(), tty.as_fd(), tty.as_fd()],
    );
    plan.terminal = Some(Terminal {
        streams: [true; 3],
        control: true,
        reset: true,
        columns: Some(132),
        ..Terminal::default()
    });
    let rows = tcgetwinsize(&tty).unwrap().ws_row;
    let spawned = spawn(&plan).unwrap();
    assert_eq!(wait(&spawned), 0);
    let size = tcgetwinsize(&tty).unwrap();
    assert_eq!((size.ws_col, size.ws_row), (132, rows));
    let modes = tcgetattr(&tty).unwrap().local_modes;
    assert!(modes.contains(LocalModes::ECHO | LocalModes::ICANON), "{modes:?}");
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // Standard error stays what it is; everyone else has lost the terminal, and the process has it.
    let null: std::os::fd::OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    let script = c("tty <&1 >/dev/null && test ! -t 2 && exec 3</dev/tty");
    let stdio = [tty.as_fd(), tty.as_fd(), null.as_fd()];
    let mut plan = SpawnPlan::new(c("/bin/sh"), vec![c("sh"), c("-c"), script], vec![], stdio);
    plan.terminal = Some(Terminal {
        streams: [true, true, false],
        control: true,
        hang_up: Some(name.clone()),
        clear: true,
        owner: Some(7),
        ..Terminal::default()
    });
    let spawned = spawn(&plan).unwrap();
    assert_eq!(wait(&spawned), 0);
    assert_eq!(rustix::io::write(&tty, b"x"), Err(rustix::io::Errno::IO));
    assert_eq!(rustix::fs::stat(&*name).unwrap().st_uid, 7);
}

#[test]
fn files_are_opened_after_what_is_passed_and_named() {
    let place = tempfile::tempdir().unwrap();
    std::fs::write(place.path().join("file"), "file\n").unwrap();
    let _listener = std::os::unix::net::UnixListener::bind(place.path().join("socket")).unwrap();
    let _datagrams = std::os::unix::net::UnixDatagram::bind(place.path().join("datagrams")).unwrap();
    let passed = rustix::fs::memfd_create("passed", rustix::fs::MemfdFlags::CLOEXEC).unwrap();
    rustix::io::pwrite(&passed, b"passed\n", 0).unwrap();
    let open = |name: &str, optional: bool| OpenFile {
        path: path(&place.path().join(name)),
        name: c(name),
        flags: libc::O_RDONLY,
        optional,
    };
    let run = |fds: &[BorrowedFd<'_>], files: Vec<OpenFile>, script: &str| {
        shell_with(script, fds, &[], |plan| {
            plan.fd_names = c(if fds.is_empty() { "" } else { "first" });
            plan.open_files = files;
        })
    };
    let script = "echo $LISTEN_FDS $LISTEN_FDNAMES; test $LISTEN_PID = $$ && cat <&3; cat <&4; \
                  readlink /proc/$$/fd/5 /proc/$$/fd/6 | cut -c1-7";
    let files = || {
        let mut all = vec![open("missing", true)];
        all.extend(["file", "socket", "datagrams"].map(|name| open(name, false)));
        all
    };
    let (text, code) = run(&[passed.as_fd()], files(), script);
    assert_eq!(
        (text.as_str(), code),
        (
            "4 first:file:socket:datagrams\npassed\nfile\nsocket:\nsocket:\n",
            0
        )
    );
    let script = "echo $LISTEN_FDS $LISTEN_FDNAMES; cat <&3";
    let (text, _) = run(&[], vec![open("file", false)], script);
    assert_eq!(text, "1 file\nfile\n");
    let (text, _) = run(
        &[],
        vec![open("missing", true)],
        "echo ${LISTEN_FDS-none} ${LISTEN_PID-none}",
    );
    assert_eq!(text, "none none\n");
    assert_eq!(run(&[], vec![open("missing", false)], script).1, 202);
}
