//! No text makes the loader slow: eight times the size takes about eight times as long.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use softboot_unit::files::MemoryFiles;
use softboot_unit::{Definition, Loader, Specifiers, UnitName, default_paths};

const SMALL: usize = 12_500;
const LARGE: usize = 8 * SMALL;
/// Linear work takes 8 times as long, quadratic work 64 times.
const MOST: u32 = 32;
/// Shorter times are noise.
const LEAST: Duration = Duration::from_millis(2);

fn load(unit: &str, text: &str) -> Definition {
    let files = MemoryFiles::new().file(&format!("/etc/systemd/system/{unit}"), text);
    Loader::new(&files, default_paths(), Specifiers::default()).load(&UnitName::new(unit).unwrap())
}

fn fastest(what: impl Fn()) -> Duration {
    let once = || {
        let start = Instant::now();
        what();
        start.elapsed()
    };
    (0..2).map(|_| once()).min().unwrap_or_default()
}

/// `text` makes a unit file of so many parts.
fn check(unit: &str, what: &str, text: impl Fn(usize) -> String) {
    let (small, large) = (text(SMALL), text(LARGE));
    let small = fastest(|| drop(load(unit, &small))).max(LEAST);
    let large = fastest(|| drop(load(unit, &large)));
    assert!(
        large < small * MOST,
        "{what}: {small:?} for {SMALL}, {large:?} for {LARGE}"
    );
}

/// A service file with a line for each number.
fn lines(line: impl Fn(usize) -> String) -> impl Fn(usize) -> String {
    move |count| {
        let lines: String = (0..count).map(|number| line(number) + "\n").collect();
        format!("[Service]\nExecStart=/x\n{lines}")
    }
}

/// A service file with one setting that has a short word for each number.
fn words(key: &'static str, word: impl Fn(usize) -> String) -> impl Fn(usize) -> String {
    move |count| {
        let words: Vec<String> = (0..count).map(&word).collect();
        format!(
            "[Service]\nExecStart=/x\n[Unit]\nDescription=x\n[Service]\n{key}={}\n",
            words.join(" ")
        )
    }
}

fn unit_words(key: &'static str, word: impl Fn(usize) -> String) -> impl Fn(usize) -> String {
    let words = words("ExecStop", word);
    move |count| words(count).replace("[Service]\nExecStop=", &format!("[Unit]\n{key}="))
}

#[test]
fn lines_of_every_form() {
    check("a.service", "variables", lines(|n| format!("Environment=V{n}=x")));
    check(
        "a.service",
        "unknown settings",
        lines(|n| format!("Unknown{n}=x")),
    );
    check("a.service", "no form", lines(|n| format!("nonsense {n}")));
    check("a.service", "sections", lines(|n| format!("[X{n}]")));
    check(
        "a.service",
        "commands",
        lines(|n| format!("ExecStop=/bin/{n} a b")),
    );
    check(
        "a.service",
        "credentials",
        lines(|n| format!("SetCredential=c{n}:x\nLoadCredential=")),
    );
    check("a.service", "wrong values", lines(|n| format!("TimeoutSec=x{n}")));
}

#[test]
fn continuations() {
    check("a.service", "continued words", |count| {
        format!("[Service]\nExecStart=/x\\\n{}\n", "a\\\n".repeat(count))
    });
    check("a.service", "comments between", |count| {
        format!("[Service]\nExecStart=/x\\\n{}\n", "#\na\\\n".repeat(count))
    });
    check("a.service", "a mistake on the last line", |count| {
        format!(
            "[Service]\nEnvironment=a=b \\\n{}nothing\n",
            "a=b\\\n".repeat(count)
        )
    });
}

#[test]
fn words_of_one_line() {
    check(
        "a.service",
        "variables",
        words("Environment", |n| format!("V{n}=x")),
    );
    check(
        "a.service",
        "sockets",
        words("Sockets", |n| format!("{n}.socket")),
    );
    check(
        "a.service",
        "arguments",
        words("ExecStop=/x", |n| format!("\"a {n}\"")),
    );
    check(
        "a.service",
        "commands",
        words("ExecStop=/x", |_| "; /x".to_owned()),
    );
    check(
        "a.service",
        "directories",
        words("StateDirectory", |n| format!("d{n}")),
    );
    check(
        "a.service",
        "environment groups",
        words("SupplementaryGroups", |n| format!("g{n}")),
    );
    check(
        "a.service",
        "units",
        unit_words("Wants", |n| format!("{n}.service")),
    );
    check("a.service", "no units", unit_words("Wants", |n| format!("{n}.x")));
    check(
        "a.service",
        "paths",
        unit_words("RequiresMountsFor", |n| format!("/a/{n}")),
    );
}

#[test]
fn a_target_that_wants_very_much() {
    let time = |count: usize| {
        let words: Vec<String> = (0..count).map(|n| format!("{n}.target")).collect();
        let files = (0..count).fold(
            MemoryFiles::new().file(
                "/etc/systemd/system/a.target",
                &format!("[Unit]\nWants={}\n", words.join(" ")),
            ),
            |files, n| {
                files.file(
                    &format!("/etc/systemd/system/{n}.target"),
                    "[Unit]\nDescription=x\n",
                )
            },
        );
        fastest(|| {
            let loader = Loader::new(&files, default_paths(), Specifiers::default());
            let loaded = loader.load_closure(&[UnitName::new("a.target").unwrap()], &|_| false);
            assert!(loaded.len() > count);
        })
    };
    let (small, large) = (time(SMALL / 16).max(LEAST), time(LARGE / 16));
    assert!(large < small * MOST, "{small:?}, {large:?}");
}
