//! The table of semantics 7.10, stage by stage: four userspaces, of which the third has another root.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::path::Path;

use fdstore::listen::ListenFds;
use fdstore::notify::{Message, Notifier};
use serde_json::{Value, json};

use super::Options;
use super::check::{Output, PATIENCE, wait_for};
use super::control::{self, Unit};
use super::next_root::{in_root, make_root};
use super::softctl::softctl;
use super::units::UnitFile;
use crate::error::{Context as _, Error};

/// Below /run, which goes along.
const DIRECTORY: &str = "/run/stages";
/// What each boot of the test service leaves for the next.
const WORDS: [&str; 3] = ["wuffwuff", "miaumiau", "oinkoink"];

pub(super) fn run(output: &mut Output, _: &Options) -> Result<(), Error> {
    control::wait_running()?;
    fs::create_dir_all(DIRECTORY).doing("making a directory below /run")?;
    let (_, reboots) = control::status()?;
    let _units = install()?;
    let _service = Service::start()?;
    for unit in [
        "nosurvive-sigterm",
        "nosurvive",
        "survive-argv",
        "survive",
        "history",
    ] {
        control::start(&format!("{unit}.service"))?;
    }
    fail_and_succeed(output, false)?;
    let stages = Stages {
        first: reboots,
        survivors: pids()?,
    };
    stages.check(output, 0, &[])?;

    soft_reboot()?;
    stages.check(output, 1, &["wuffwuff"])?;
    // The name is free, and what failed before is no hindrance.
    control::start("nosurvive.service")?;
    output.check(true, "the name of a unit that has ended can be used again")?;
    fail_and_succeed(output, true)?;

    in_root("mkdir /run/nextroot && mount -t tmpfs -o size=400m tmpfs /run/nextroot")?;
    make_root("/run/nextroot", "stage three")?;
    let ran = softctl(&["reboot"])?;
    output.same(
        &(ran.code, ran.stderr.contains("this is a soft-reboot")),
        &(0, true),
        "softctl reboot says that it is a soft-reboot, as a root is mounted",
    )?;
    root_is("stage three")?;
    stages.check(output, 2, &["wuffwuff", "miaumiau"])?;

    make_root("/run/last", "stage four")?;
    in_root("mkdir -p /run/nextroot && mount --bind /run/last /run/nextroot")?;
    soft_reboot()?;
    root_is("stage four")?;
    stages.check(output, 3, &WORDS)?;
    in_root("rmdir /run/nextroot")?;
    output.check(true, "nothing is mounted where the next root was")?;
    let history = fs::read_to_string(format!("{DIRECTORY}/history")).unwrap_or_default();
    output.same(
        &history.lines().collect::<Vec<_>>(),
        &vec!["stopped"; 3],
        "ExecStop= of an ordinary service ran once in each of three soft-reboots",
    )?;
    for unit in ["survive.service", "survive-argv.service"] {
        control::stop(unit)?;
    }
    output.check(true, "survivors of three soft-reboots can be stopped as ever")
}

struct Stages {
    first: u64,
    survivors: Vec<i32>,
}

impl Stages {
    /// What must hold in the userspace after `number` soft-reboots.
    fn check(&self, output: &mut Output, number: u64, words: &[&str]) -> Result<(), Error> {
        let report = wait_for("the test service", || {
            let text = fs::read_to_string(format!("{DIRECTORY}/report")).doing("reading its report")?;
            let report: Value =
                serde_json::from_str(&text).map_err(|error| Error::Check(error.to_string()))?;
            let stored = report.get("fds").and_then(Value::as_array).map_or(0, Vec::len);
            let there = stored == words.len() && control::status()?.1 == self.first + number;
            Ok(there.then_some(report))
        })?;
        output.note(format!("stage {number}"));
        output.same(
            &control::status()?.1,
            &(self.first + number),
            "soft-reboots are counted",
        )?;
        output.same(
            &report.get("fds"),
            &Some(&json!(words)),
            "the test service has what the boots before stored, at the offset where it was left",
        )?;
        let service = Unit::get("stages.service")?;
        output.same(
            &service.sub(),
            &"start",
            "its start goes on: neither its end nor FailureAction=exit has stopped the machine",
        )?;
        output.same(&pids()?, &self.survivors, "survivors are the same processes")?;
        if number > 0 {
            for unit in ["nosurvive.service", "nosurvive-sigterm.service"] {
                let down = Unit::get(unit)?.active() != "active";
                output.check(down, format!("{unit} has not survived"))?;
            }
        }
        let credential = |unit: &str, name: &str| Path::new("/run/credentials").join(unit).join(name);
        output.same(
            &fs::read_to_string(credential("survive-argv.service", "preserve"))
                .unwrap_or_default()
                .as_str(),
            &"yay",
            "a survivor's credential is still there",
        )?;
        output.same(
            &credential("nosurvive.service", "secret").exists(),
            &(number == 0),
            "and one of a service that has ended is not",
        )
    }
}

/// Without waiting for the boot, which the test service keeps from ever being complete.
fn soft_reboot() -> Result<(), Error> {
    let ran = softctl(&["soft-reboot"])?;
    if ran.code == 0 {
        return Ok(());
    }
    Err(Error::Check(ran.stderr))
}

fn root_is(name: &str) -> Result<(), Error> {
    wait_for(format!("the root {name}"), || {
        let text = fs::read_to_string("/proc/1/root/etc/os-release").doing("reading os-release")?;
        Ok(text.contains(name).then_some(()))
    })
}

fn pids() -> Result<Vec<i32>, Error> {
    let survivors = ["survive.service", "survive-argv.service"];
    survivors
        .iter()
        .map(|unit| {
            let unit = Unit::get(unit)?;
            if unit.active() == "active" && unit.main_pid() != 0 {
                return Ok(unit.main_pid());
            }
            Err(Error::Check(format!(
                "{} is {}",
                unit.description(),
                unit.active()
            )))
        })
        .collect()
}

/// Twenty-five that fail, or succeed, under the same names.
fn fail_and_succeed(output: &mut Output, succeed: bool) -> Result<(), Error> {
    let word = if succeed { "true" } else { "false" };
    let _unit = UnitFile::install(
        "many@.service",
        &format!("[Service]\nType=oneshot\nExecStart=/bin/busybox {word}\n"),
    )?;
    for number in 0..25 {
        let result = control::start(&format!("many@{number}.service"));
        if result.is_ok() != succeed {
            return Err(Error::Check(format!("/bin/busybox {word}: {result:?}")));
        }
    }
    output.check(
        true,
        format!("twenty-five services that run busybox {word} end as it does"),
    )
}

fn install() -> Result<Vec<UnitFile>, Error> {
    let program = std::env::current_exe().doing("finding this program")?;
    let loose = "DefaultDependencies=no\nIgnoreOnIsolate=yes\n";
    let sleep = "/bin/busybox sleep 100000";
    let recipe = "SurviveSoftReboot=yes\n";
    Ok(vec![
        UnitFile::write(
            "stages.service",
            &format!(
                "[Unit]\nDefaultDependencies=no\nAfter=basic.target\nFailureAction=exit\n\
                 [Service]\nType=oneshot\nTimeoutStartSec=infinity\nFileDescriptorStoreMax=3\nNotifyAccess=all\n\
                 ExecStart={} --stage\n",
                program.display()
            ),
        )?,
        UnitFile::write(
            "nosurvive-sigterm.service",
            &format!(
                "[Unit]\n{loose}[Service]\nExecStart=/bin/busybox sh -c 'trap \"\" TERM; while :; do {sleep}; done'\n"
            ),
        )?,
        UnitFile::write(
            "nosurvive.service",
            &format!("[Unit]\n{loose}[Service]\nType=exec\nSetCredential=secret:x\nExecStart={sleep}\n"),
        )?,
        UnitFile::write(
            "survive-argv.service",
            &format!(
                "[Unit]\n{loose}[Service]\nType=exec\nSetCredential=preserve:yay\n\
                 ExecStart=@/bin/busybox @/sleep 100000\n"
            ),
        )?,
        UnitFile::write(
            "survive.service",
            &format!("[Unit]\n{recipe}[Service]\nType=exec\nExecStart={sleep}\n"),
        )?,
        UnitFile::write(
            "history.service",
            &format!(
                "[Unit]\nBefore=stages.service\n\
                 [Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/busybox true\n\
                 ExecStop=/bin/busybox sh -c 'echo stopped >> {DIRECTORY}/history'\n"
            ),
        )?,
    ])
}

/// The test service, as a part of every boot.
struct Service(Vec<String>);

impl Service {
    fn start() -> Result<Service, Error> {
        let wants = "/run/systemd/system/multi-user.target.wants";
        fs::create_dir_all(wants).doing("making a directory of links")?;
        let mut links = Vec::new();
        for unit in ["stages.service", "history.service"] {
            let link = format!("{wants}/{unit}");
            std::os::unix::fs::symlink(format!("../{unit}"), &link).doing("making a link")?;
            links.push(link);
        }
        control::call("Reload", json!({}))?;
        let ran = softctl(&["start", "--no-block", "stages.service"])?;
        if ran.code != 0 {
            return Err(Error::Check(ran.stderr));
        }
        Ok(Service(links))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        for link in &self.0 {
            let _ = fs::remove_file(link);
        }
    }
}

/// The service's side: says what it was passed, stores one more, and is still starting when the end comes.
///
/// # Errors
/// [`Error::Check`] if the manager cannot be talked to; the others if a file cannot be made.
pub fn stage() -> Result<(), Error> {
    let passed = ListenFds::from_env().map_err(|error| Error::Check(error.to_string()))?;
    let mut fds: Vec<String> = Vec::new();
    for (_, fd) in passed {
        let mut file = File::from(fd);
        let offset = rustix::fs::tell(&file)
            .map_err(std::io::Error::from)
            .doing("asking for an offset")?;
        let mut text = String::new();
        file.read_to_string(&mut text).doing("reading what was stored")?;
        // As it was, for the next.
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(offset))
            .map_err(std::io::Error::from)
            .doing("going back")?;
        fds.push(text);
    }
    if let Some(word) = WORDS.get(fds.len()) {
        let path = format!("{DIRECTORY}/stored");
        let mut file = File::options()
            .read(true)
            .write(true)
            .create_new(true)
            .open(&path)
            .doing("making a file")?;
        write!(file, "skipped {word}").doing("writing a file")?;
        fs::remove_file(&path).doing("unlinking it")?;
        rustix::fs::seek(&file, rustix::fs::SeekFrom::Start(8))
            .map_err(std::io::Error::from)
            .doing("setting the offset")?;
        let failed = |error: fdstore::notify::NotifyError| Error::Check(error.to_string());
        let manager =
            Notifier::connect(std::env::var_os("NOTIFY_SOCKET").unwrap_or_default()).map_err(failed)?;
        let message = Message::new()
            .with("FDSTORE", "1")
            .with("FDNAME", &format!("{}-{word}", fds.len()));
        manager.send(&message, &[file.as_fd()]).map_err(failed)?;
        manager.barrier(PATIENCE).map_err(failed)?;
    }
    let report = json!({ "fds": fds, "pid": std::process::id() }).to_string();
    let beside = format!("{DIRECTORY}/report.new");
    fs::write(&beside, report).doing("writing the report")?;
    fs::rename(&beside, format!("{DIRECTORY}/report")).doing("writing the report")?;
    loop {
        std::thread::park();
    }
}
