//! Each way to crash is followed by the next program, in the same process, which is told why.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "in a test program a panic is how a failure shows"
)]

use std::ffi::CString;
use std::fs::File;
use std::hint::black_box;
use std::os::fd::{AsFd, AsRawFd as _};
use std::process::{Command, ExitCode};
use std::time::Duration;

use softboot_sys::crash;

const STEP: &str = "CRASH_TEST_STEP";
const KEPT: &str = "CRASH_TEST_KEPT";

/// How to crash, and what the next program is told.
const WAYS: [(&str, &str); 10] = [
    ("exit", "exit"),
    ("write", "signal 11 code 1 at 0x10"),
    ("read-only", "signal 11 code 2 at 0x"),
    ("overflow", "signal 11 code "),
    ("illegal", "signal 4 code "),
    ("abort", "signal 6 code -6 from process "),
    ("division", "signal 8 code "),
    ("replace", "a panic: it broke"),
    ("deadline", "deadline"),
    ("deadline-over-exec", "deadline"),
];

fn main() -> ExitCode {
    match std::env::var(STEP).as_deref() {
        Ok("after") => return after(),
        Ok("unarmed") => {
            crash::install().unwrap();
            let kill = format!("kill -SEGV {}", std::process::id());
            Command::new("sh").args(["-c", &kill]).status().unwrap();
            println!("went on");
            return ExitCode::SUCCESS;
        }
        Ok("waits") => {
            crash::install().unwrap();
            arm("after");
            crash::await_deadline();
            loop {
                black_box(());
            }
        }
        Ok("leave") => {
            crash::install().unwrap();
            arm("after");
            crash::leave(7);
        }
        Ok(way) => {
            crash::install().unwrap();
            crash_by(way);
            return ExitCode::FAILURE;
        }
        Err(_) => {}
    }
    let unarmed = Command::new("/proc/self/exe")
        .env(STEP, "unarmed")
        .output()
        .unwrap();
    assert_eq!(
        unarmed.stdout, b"went on\n",
        "a signal that was sent before anything is armed"
    );
    let left = Command::new("/proc/self/exe")
        .env(STEP, "leave")
        .output()
        .unwrap();
    assert_eq!(
        (left.status.code(), left.stdout.as_slice()),
        (Some(7), &b""[..]),
        "an end that is meant is the end"
    );
    for (way, expected) in WAYS {
        let child = Command::new("/proc/self/exe")
            .env(STEP, way)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let words = format!("pid {pid} kept true reason {expected}");
        assert!(text.starts_with(&words), "{way}: {text:?} is not {words:?}");
        println!("ok {way}: {}", text.trim_end());
    }
    ExitCode::SUCCESS
}

/// The program after the crash.
fn after() -> ExitCode {
    let kept = std::env::var(KEPT).unwrap();
    let kept = File::open(format!("/proc/self/fd/{kept}")).is_ok();
    println!(
        "pid {} kept {kept} reason {}",
        std::process::id(),
        std::env::var(crash::VARIABLE).unwrap_or_default()
    );
    ExitCode::SUCCESS
}

fn arm(step: &str) {
    let program = File::open("/proc/self/exe").unwrap();
    let kept = File::open("/dev/null").unwrap();
    let env: Vec<CString> = [
        format!("{STEP}={step}"),
        format!(
            "{KEPT}={}",
            std::env::var(KEPT).unwrap_or_else(|_| kept.as_raw_fd().to_string())
        ),
    ]
    .map(|text| CString::new(text).unwrap())
    .into();
    crash::note_descriptor(kept.as_fd());
    crash::arm(program.as_fd(), &[c"next".to_owned()], &env).unwrap();
    std::mem::forget((program, kept));
}

#[expect(unconditional_recursion, reason = "that is the test")]
fn overflow(depth: u64) -> u64 {
    let room = black_box([depth; 512]);
    overflow(depth + 1) + room[3]
}

fn crash_by(way: &str) {
    if way == "deadline-over-exec" {
        arm("waits");
        crash::deadline(Duration::from_millis(100)).unwrap();
        panic!("{}", crash::replace("on purpose"));
    }
    arm("after");
    // What is armed cannot be spoiled: this block is as far away as any other wild write.
    match way {
        // SAFETY: none; that it faults is the test.
        "write" => unsafe { black_box(0x10 as *mut u64).write_volatile(1) },
        // SAFETY: none; that it faults is the test.
        "read-only" => unsafe { black_box(c"text".as_ptr().cast_mut()).write_volatile(1) },
        "overflow" => {
            black_box(overflow(0));
        }
        // SAFETY: raises a signal in this process.
        "illegal" => unsafe {
            libc::raise(libc::SIGILL);
        },
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        // SAFETY: raises a signal in this process.
        "division" => unsafe {
            libc::raise(libc::SIGFPE);
        },
        "replace" => panic!("{}", crash::replace("a panic: it broke")),
        "deadline" => {
            crash::deadline(Duration::from_millis(100)).unwrap();
            loop {
                black_box(());
            }
        }
        other => panic!("{other}"),
    }
}
