//! Sockets with default dependencies stay open in a soft-reboot if the next userspace has the same, and only then.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use serde_json::json;

use super::Options;
use super::check::Output;
use super::control::{self, Unit, call};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

const WANTS: &str = "/run/systemd/system/sockets.target.wants";
/// How often each client comes.
const INTERVAL: Duration = Duration::from_millis(5);
/// Sockets, and whether they stay open.
const SOCKETS: [(&str, bool, &str); 7] = [
    ("plain", true, "that the next userspace has as it is stays open"),
    ("each", true, "with Accept=yes stays open"),
    ("own", true, "with Accept=yes that its own file keeps stays open"),
    ("told", false, "with SurviveSoftReboot=no is closed"),
    ("changed", false, "whose file has changed is closed"),
    ("passing", false, "in a RuntimeDirectory= that goes is closed"),
    ("unwanted", false, "that the next boot does not want is closed"),
];

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    let _units = units()?;
    call("Reload", json!({}))?;
    control::start("moved.socket")?;
    for (name, _, _) in SOCKETS.into_iter().chain([("lost", true, "")]) {
        control::start(&format!("{name}.socket"))?;
    }
    for unit in ["passing.service", "slow.service"] {
        control::start(unit)?;
    }
    // The running manager does not know, and the next userspace reads it.
    let _changed = UnitFile::write("changed.socket", &socket("changed", "[Socket]\nBacklog=77\n"))?;
    let _moved = UnitFile::write("moved.socket", &moved("/run/stay-open/moved-there"))?;
    foretold(output)?;
    under_load(output)?;
    output.check(
        ask(&node("lost")).is_ok_and(|answer| answer == "hello\n"),
        "a port whose node was removed while userspace ended is opened anew",
    )?;
    output.check(
        ask("/run/stay-open/moved-there").is_ok_and(|answer| answer == "hello\n"),
        "a kept socket whose file names another place is open there",
    )?;
    output.check(ask("/run/stay-open/moved").is_err(), "and nowhere else")?;
    control::stop("moved.socket")?;
    softctl(&["stop", "moved.service"])?;
    for (name, _, _) in SOCKETS.into_iter().chain([("lost", true, "")]) {
        let _ = fs::remove_file(format!("{WANTS}/{name}.socket"));
        control::stop(&format!("{name}.socket"))?;
        softctl(&["stop", &format!("{name}.service")])?;
    }
    control::stop("slow.service")
}

fn units() -> Result<Vec<UnitFile>, Error> {
    let program = std::env::current_exe().doing("finding this program")?;
    let serve = format!(
        "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart={} --serve\n",
        program.display()
    );
    let mut files = Vec::new();
    for (name, more) in [
        ("plain", "[Socket]\n"),
        (
            "each",
            "[Socket]\nAccept=yes\nTriggerLimitIntervalSec=0\nPollLimitIntervalSec=0\n",
        ),
        (
            "own",
            "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n\
             [Socket]\nAccept=yes\nTriggerLimitIntervalSec=0\nPollLimitIntervalSec=0\n",
        ),
        ("told", "[Unit]\nSurviveSoftReboot=no\n[Socket]\n"),
        ("changed", "[Socket]\n"),
        ("passing", "[Socket]\n"),
        ("unwanted", "[Socket]\n"),
        ("lost", "[Socket]\n"),
    ] {
        files.push(UnitFile::write(&format!("{name}.socket"), &socket(name, more))?);
        files.push(match name {
            "each" | "own" => UnitFile::write(
                &format!("{name}@.service"),
                &format!(
                    "[Service]\nExecStart={} --answer\nStandardInput=socket\nStandardOutput=socket\n",
                    program.display()
                ),
            )?,
            "passing" => UnitFile::write("passing.service", &format!("{serve}RuntimeDirectory=passing\n"))?,
            _ => UnitFile::write(&format!("{name}.service"), &serve)?,
        });
        if name != "unwanted" {
            fs::create_dir_all(WANTS).doing(format!("making {WANTS}"))?;
            let link = format!("{WANTS}/{name}.socket");
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(format!("../{name}.socket"), link).doing("wanting a socket")?;
        }
    }
    files.push(UnitFile::write("moved.socket", &moved("/run/stay-open/moved"))?);
    files.push(UnitFile::write("moved.service", &serve)?);
    // While it stops, sockets with default dependencies are closed already.
    files.push(UnitFile::write(
        "slow.service",
        "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nBefore=shutdown.target sockets.target\n\
         [Service]\nExecStart=/bin/busybox sleep 100000\n\
         ExecStop=/bin/busybox rm /run/stay-open/lost\nExecStop=/bin/busybox sleep 0.3\n",
    )?);
    Ok(files)
}

fn node(name: &str) -> String {
    match name {
        "passing" => "/run/passing/node".to_owned(),
        _ => format!("/run/stay-open/{name}"),
    }
}

/// Kept by its own file.
fn moved(node: &str) -> String {
    format!(
        "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\n[Socket]\nDeferTrigger=yes\nListenStream={node}\n"
    )
}

fn socket(name: &str, text: &str) -> String {
    format!("{text}ListenStream={}\n", node(name))
}

fn foretold(output: &mut Output) -> Result<(), Error> {
    let answer = call("SoftReboot", json!({ "check": true }))?;
    let units = answer.get("units").and_then(|units| units.as_array()).cloned();
    let fate = |name: &str| {
        let unit = format!("{name}.socket");
        let all = units.iter().flatten();
        let mut found = all.filter(|one| one.get("unit").and_then(|unit| unit.as_str()) == Some(&unit));
        found
            .next()
            .and_then(|one| one.get("fate")?.as_str())
            .unwrap_or_default()
            .to_owned()
    };
    for (name, stays, _) in SOCKETS {
        let wanted = if stays { "stays" } else { "stops" };
        output.same(
            &fate(name).as_str(),
            &wanted,
            format!("--check says of {name}.socket"),
        )?;
    }
    Ok(())
}

/// Clients of each socket come all the time.
fn under_load(output: &mut Output) -> Result<(), Error> {
    let over = Arc::new(AtomicBool::new(false));
    let clients: BTreeMap<&str, _> = SOCKETS
        .into_iter()
        .map(|(name, _, _)| (name, client(node(name), Arc::clone(&over))))
        .collect();
    thread::sleep(INTERVAL * 20);
    control::soft_reboot()?;
    thread::sleep(INTERVAL * 20);
    over.store(true, Ordering::Relaxed);
    let mut seen = BTreeMap::new();
    for (name, client) in clients {
        let counts = client
            .join()
            .map_err(|_| Error::Check("a client panicked".to_owned()))?;
        seen.insert(name, counts);
    }
    for (name, stays, what) in SOCKETS {
        let Seen { good, refused, cut } = seen.get(name).copied().unwrap_or_default();
        let lost = refused + cut;
        output.check(
            good > 0 && (lost == 0) == stays,
            format!("a socket {what}: {good} answers, {refused} refused, {cut} cut"),
        )?;
    }
    for name in ["plain", "each", "changed"] {
        let unit = Unit::get(&format!("{name}.socket"))?;
        output.same(&unit.active(), &"active", format!("{name}.socket is up again"))?;
    }
    Ok(())
}

/// What a client came to: answers, attempts that nobody took, and those that were taken and not answered.
#[derive(Clone, Copy, Default)]
struct Seen {
    good: u32,
    refused: u32,
    cut: u32,
}

fn client(node: String, over: Arc<AtomicBool>) -> JoinHandle<Seen> {
    thread::spawn(move || {
        let mut seen = Seen::default();
        while !over.load(Ordering::Relaxed) {
            match UnixStream::connect(&node).map(answer) {
                Ok(Ok(answer)) if answer == "hello\n" => seen.good += 1,
                Ok(_) => seen.cut += 1,
                Err(_) => seen.refused += 1,
            }
            thread::sleep(INTERVAL);
        }
        seen
    })
}

fn ask(node: &str) -> Result<String, Error> {
    answer(UnixStream::connect(node).doing("connecting")?)
}

fn answer(mut stream: UnixStream) -> Result<String, Error> {
    stream.write_all(b"hello\n").doing("asking")?;
    stream.shutdown(Shutdown::Write).doing("ending the question")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).doing("reading the answer")?;
    Ok(answer)
}
