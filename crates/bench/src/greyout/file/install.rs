//! What is put into every system: programs, the workload's units, and the probe's.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use softboot_greyout::workload::Workload;

use super::{MARKS, Plan, shown};
use crate::error::{Context as _, Error};

/// The probe, and the service that answers every kind of probe.
pub(super) const PROBE: &str = "/usr/bin/softboot-probe";
/// Services of workloads may be this one, too.
const SCENARIO: &str = "/usr/bin/softboot-scenario";
const WORKLOAD: &str = "/etc/softboot-greyout.toml";
const UNITS: &str = "/etc/systemd/system";

/// Files by their place in the system, without `/` at the front.
#[derive(Debug)]
pub(super) struct Files {
    /// Programs of the host.
    pub(super) programs: Vec<(String, PathBuf)>,
    /// Contents.
    pub(super) texts: Vec<(String, String)>,
    /// Links and what they lead to.
    pub(super) links: Vec<(String, String)>,
}

/// The unit of the probe that runs around an event.
pub(super) fn probe_unit(number: usize) -> String {
    format!("greyout-probe-{number}.service")
}

/// Where its record is.
pub(super) fn record_of(number: usize) -> String {
    format!("/run/greyout-{number}.grey")
}

/// All of it, with units for so many probes.
pub(super) fn files(workload: &Workload, file: &Path, plan: &Plan, probes: usize) -> Result<Files, Error> {
    let text = fs::read_to_string(file).context(&format!("reading {}", shown(file)))?;
    let inside = |path: &str| path.trim_start_matches('/').to_owned();
    let mut texts = vec![(inside(WORKLOAD), text)];
    let mut links = Vec::new();
    for unit in workload.units() {
        let wanted_by = wanted_by(workload, &unit.name);
        if let Some(target) = wanted_by {
            let link = format!("{UNITS}/{target}.wants/{}", unit.name);
            links.push((inside(&link), format!("../{}", unit.name)));
        }
        texts.push((inside(&format!("{UNITS}/{}", unit.name)), unit.text));
    }
    for number in 0..probes {
        let path = format!("{UNITS}/{}", probe_unit(number));
        texts.push((inside(&path), probe_text(number, plan.rate)));
    }
    Ok(Files {
        programs: vec![
            (inside(PROBE), plan.probe.clone()),
            (inside(SCENARIO), plan.programs.join("softboot-scenario")),
        ],
        texts,
        links,
    })
}

/// Sockets, and services that no socket starts, are started by the boot.
fn wanted_by(workload: &Workload, unit: &str) -> Option<&'static str> {
    if unit.ends_with(".socket") {
        return Some("sockets.target");
    }
    let by_socket = workload.sockets.iter().any(|socket| socket.service == unit);
    let template = unit.contains('@');
    (!by_socket && !template).then_some("multi-user.target")
}

/// The recipe of a survivor, in words that both managers know.
fn probe_text(number: usize, rate: Option<u32>) -> String {
    let rate = rate.map_or_else(String::new, |rate| format!(" --rate {rate}"));
    let record = record_of(number);
    format!(
        "[Unit]\nDefaultDependencies=no\nIgnoreOnIsolate=yes\nSurviveFinalKillSignal=yes\n\n[Service]\n\
         ExecStart={PROBE} run --workload {WORKLOAD} --view survivor{rate} --out {record} --marks {MARKS}\n\
         StandardOutput=null\nStandardError=null\n"
    )
}

impl Files {
    /// Into a root, over what is there.
    pub(super) fn write_below(&self, root: &Path) -> Result<(), Error> {
        for (place, from) in &self.programs {
            let to = root.join(place);
            let what = format!("copying {} to {}", shown(from), shown(&to));
            make_room(&to).context(&what)?;
            fs::copy(from, &to).context(&what)?;
            fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).context(&what)?;
        }
        for (place, text) in &self.texts {
            let to = root.join(place);
            make_room(&to)
                .and_then(|()| fs::write(&to, text))
                .context(&format!("writing {}", shown(&to)))?;
        }
        for (place, target) in &self.links {
            let to = root.join(place);
            make_room(&to)
                .and_then(|()| symlink(target, &to))
                .context(&format!("linking {}", shown(&to)))?;
        }
        Ok(())
    }
}

fn make_room(file: &Path) -> std::io::Result<()> {
    if let Some(directory) = file.parent() {
        fs::create_dir_all(directory)?;
    }
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORKLOAD: &str = r#"
case = "a"
[[service]]
name = "echo.service"
exec = "/usr/bin/softboot-probe serve"
[[service]]
name = "alone.service"
exec = "/usr/bin/softboot-probe serve"
[[socket]]
name = "echo.socket"
listen = "unix:/run/echo"
[[probe]]
name = "echo"
endpoint = "unix:/run/echo"
[[event]]
do = "soft-reboot"
"#;

    #[test]
    fn what_is_installed_is_wanted_by_the_boot_or_started_by_its_socket() {
        let directory = tempfile::tempdir().unwrap();
        let (file, root) = (directory.path().join("w.toml"), directory.path().join("root"));
        fs::write(&file, WORKLOAD).unwrap();
        for name in ["softboot-probe", "softboot-scenario"] {
            fs::write(directory.path().join(name), name).unwrap();
        }
        let workload = Workload::load(&file).unwrap();
        let plan = Plan {
            workloads: vec![file.clone()],
            cycles: None,
            rate: Some(50),
            programs: directory.path().to_owned(),
            probe: directory.path().join("softboot-probe"),
            peers: Vec::new(),
            scratch: directory.path().to_owned(),
            vm: None,
        };
        let files = files(&workload, &file, &plan, 2).unwrap();
        files.write_below(&root).unwrap();
        // Once more is as good.
        files.write_below(&root).unwrap();
        let units = root.join("etc/systemd/system");
        let wants = |target: &str| -> Vec<String> {
            let entries = fs::read_dir(units.join(format!("{target}.wants"))).unwrap();
            entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect()
        };
        assert_eq!(wants("sockets.target"), ["echo.socket"]);
        assert_eq!(wants("multi-user.target"), ["alone.service"]);
        let probe = fs::read_to_string(units.join("greyout-probe-1.service")).unwrap();
        assert!(
            probe.contains("SurviveFinalKillSignal=yes")
                && probe.contains("--rate 50 --out /run/greyout-1.grey")
        );
    }
}
