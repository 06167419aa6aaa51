//! `verify`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde::Serialize;
use softboot_unit::recipe;
use softboot_unit::{
    Definition, DependencyKind, KindSection, LoadState, Loader, Origin, Severity, Specifiers, UnitName,
};

use super::disk::Disk;
use super::output::Output;
use crate::cli::Verify;
use crate::error::Error;
use crate::exit;
use crate::names;
use crate::text::clean;

/// Instance that stands for all instances of a template.
const INSTANCE: &str = "instance";

/// Something about a unit.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finding {
    unit: String,
    severity: Severity,
    /// Empty where no file is meant.
    file: String,
    /// 0 where no line is meant.
    line: u32,
    /// From 1, in characters; 0 where no part of the line is meant.
    column: u32,
    message: String,
    /// The line with a mark below what is meant.
    #[serde(skip)]
    excerpt: String,
}

pub(super) fn verify(out: Output, verify: &Verify) -> Result<u8, Error> {
    let disk = Disk::new(verify.root.as_ref());
    let mut findings = Vec::new();
    for word in &verify.files {
        findings.extend(look(&disk, word, out.is_coloured())?);
    }
    if out.json() {
        out.print_json(&findings)?;
    } else {
        let lines: Vec<String> = findings.iter().map(line).collect();
        out.print(&lines.concat())?;
    }
    let bad = findings
        .iter()
        .any(|finding| finding.severity != Severity::Unsupported);
    Ok(if bad { exit::FAILURE } else { exit::OK })
}

fn line(finding: &Finding) -> String {
    let place = match (finding.file.as_str(), finding.line, finding.column) {
        ("", _, _) => clean(&finding.unit),
        (file, 0, _) => clean(file),
        (file, line, 0) => format!("{}:{line}", clean(file)),
        (file, line, column) => format!("{}:{line}:{column}", clean(file)),
    };
    let note = if finding.severity == Severity::Unsupported {
        "note: "
    } else {
        ""
    };
    format!("{place}: {note}{}\n{}", clean(&finding.message), finding.excerpt)
}

/// Loads the unit that a word means: a file, or a name.
fn look(disk: &Disk, word: &str, colour: bool) -> Result<Vec<Finding>, Error> {
    let mut paths = softboot_unit::default_paths();
    let name = if word.contains('/') {
        let file = match fs::canonicalize(word) {
            Ok(file) => file,
            Err(error) => {
                return Ok(vec![Finding {
                    unit: word.to_owned(),
                    severity: Severity::Error,
                    file: String::new(),
                    line: 0,
                    column: 0,
                    message: format!("cannot be read: {error}"),
                    excerpt: String::new(),
                }]);
            }
        };
        let name = Path::new(word).file_name().unwrap_or_default().to_string_lossy();
        // Its own directory comes first, as it is seen from the root that units are looked for in.
        if let Some(directory) = file.parent() {
            let root = fs::canonicalize(disk.place("/")).unwrap_or_default();
            let inside = directory
                .strip_prefix(&root)
                .map(|rest| Path::new("/").join(rest));
            let seen =
                inside.map_err(|_| Error::Usage(format!("{word:?} is not below the directory of --root")))?;
            paths.insert(0, seen.to_string_lossy().into_owned());
        }
        name.into_owned()
    } else {
        names::complete(word)
    };
    let unit = UnitName::new(&name).map_err(|error| Error::Usage(error.to_string()))?;
    let unit = if unit.is_template() {
        let instance = name.replacen('@', &format!("@{INSTANCE}"), 1);
        UnitName::new(&instance).map_err(|error| Error::Usage(error.to_string()))?
    } else {
        unit
    };
    let loader = Loader::new(disk, paths, Specifiers::default());
    let loaded = loader.load_closure(std::slice::from_ref(&unit), &|_| false);
    let Some(definition) = loaded
        .iter()
        .find(|definition| definition.name == unit || definition.aliases.contains(&unit))
    else {
        return Ok(Vec::new());
    };
    Ok(judge(disk, definition, &loaded, colour))
}

fn judge(disk: &Disk, definition: &Definition, loaded: &[Definition], colour: bool) -> Vec<Finding> {
    let finding = |severity, file: &str, line, message: String| Finding {
        unit: definition.name.to_string(),
        severity,
        file: file.to_owned(),
        line,
        column: 0,
        message,
        excerpt: String::new(),
    };
    let mut findings: Vec<Finding> = definition
        .diagnostics
        .iter()
        .map(|d| Finding {
            column: d.columns.map_or(0, |(from, _)| from),
            excerpt: d.excerpt(colour),
            ..finding(d.severity, &d.file, d.line, d.message.clone())
        })
        .collect();
    match &definition.load {
        LoadState::NotFound => {
            let message = "no file has this name".to_owned();
            findings.push(finding(Severity::Error, "", 0, message));
        }
        LoadState::Error(reason) => findings.push(finding(Severity::Error, "", 0, reason.clone())),
        LoadState::Masked => {
            let message = "the unit is masked".to_owned();
            findings.push(finding(Severity::Warning, "", 0, message));
        }
        // These are among the diagnostics already.
        LoadState::Loaded | LoadState::BadSetting(_) => {}
    }
    for dependency in definition.unit.dependencies.iter() {
        let needed = matches!(
            dependency.kind,
            DependencyKind::Requires | DependencyKind::Requisite | DependencyKind::BindsTo
        );
        let absent = loaded.iter().any(|other| {
            (other.name == dependency.on || other.aliases.contains(&dependency.on))
                && other.load == LoadState::NotFound
        });
        if needed && absent && dependency.origin == Origin::File {
            let message = format!("needs {}, and there is no such unit", dependency.on);
            findings.push(finding(Severity::Warning, "", 0, message));
        }
    }
    if let KindSection::Service(service) = &definition.kind {
        if recipe::is_begun(&definition.unit) {
            let mut lines = recipe::missing(&definition.unit, false);
            // A slice without a file has no rules that could stop it.
            let slice = loaded
                .iter()
                .find(|other| other.name == service.slice && other.fragment.is_some());
            if let Some(slice) = slice {
                let missing = recipe::missing(&slice.unit, true).into_iter();
                lines.extend(missing.map(|line| format!("{line} in {}", slice.name)));
            }
            for line in lines {
                let message = format!(
                    "does not survive a soft-reboot without {line} (SurviveSoftReboot=yes stands for all of it)"
                );
                findings.push(finding(Severity::Warning, "", 0, message));
            }
        }
        let lists = [
            &service.exec_condition,
            &service.exec_start_pre,
            &service.exec_start,
            &service.exec_start_post,
            &service.exec_reload,
            &service.exec_stop,
            &service.exec_stop_post,
        ];
        for command in lists
            .into_iter()
            .flatten()
            .filter(|command| !command.ignore_failure)
        {
            if let Some(reason) = not_executable(disk, &command.path) {
                let message = format!("{} cannot be executed: {reason}", command.path);
                findings.push(finding(Severity::Warning, "", 0, message));
            }
        }
    }
    findings
}

/// Why a program cannot be executed. A bare name is looked for only when it runs.
fn not_executable(disk: &Disk, path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return None;
    }
    match fs::metadata(disk.place(path)) {
        Ok(data) if data.is_file() && data.permissions().mode() & 0o111 != 0 => None,
        Ok(_) => Some("it is no program".to_owned()),
        Err(error) => Some(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, name: &str) -> Vec<Finding> {
        let directory = tempfile::tempdir().unwrap();
        let units = directory.path().join("etc/systemd/system");
        fs::create_dir_all(&units).unwrap();
        fs::write(units.join(name), text).unwrap();
        let disk = Disk::new(Some(&directory.path().to_owned()));
        look(&disk, units.join(name).to_str().unwrap(), false).unwrap()
    }

    #[test]
    fn a_mistake_has_its_line() {
        let findings = found("[Service]\nExecStart=-/bin/x\nTyp=oneshot\n", "a.service");
        let [finding] = findings.as_slice() else {
            panic!("{findings:?}")
        };
        assert_eq!((finding.line, finding.severity), (3, Severity::Warning));
        assert!(
            line(finding).starts_with("/etc/systemd/system/a.service:3:1: "),
            "{}",
            line(finding)
        );
        assert!(
            line(finding).ends_with("\n3 | Typ=oneshot\n  | ^^^\n"),
            "{}",
            line(finding)
        );
    }

    #[test]
    fn what_a_unit_needs_must_be_there() {
        let text = "[Unit]\nRequires=b.service\nWants=c.service\n[Service]\nExecStart=/bin/x\n";
        let findings = found(text, "a@.service");
        let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
        assert_eq!(findings.len(), 2, "{messages:?}");
        assert!(
            messages.iter().any(|m| m.contains("needs b.service")),
            "{messages:?}"
        );
        assert!(
            messages.iter().any(|m| m.contains("/bin/x cannot be executed")),
            "{messages:?}"
        );
    }

    #[test]
    fn half_a_recipe_is_completed() {
        let text = "[Unit]\nSurviveFinalKillSignal=yes\nDefaultDependencies=no\n[Service]\nExecStart=-/x\n";
        let findings = found(text, "a.service");
        let messages: Vec<&str> = findings.iter().map(|f| f.message.as_str()).collect();
        for wanted in [
            "IgnoreOnIsolate=yes",
            "After=basic.target",
            "Conflicts=reboot.target kexec",
            "Before=shutdown",
        ] {
            assert!(messages.iter().any(|m| m.contains(wanted)), "{messages:?}");
        }
        assert_eq!(
            found(
                "[Unit]\nSurviveSoftReboot=yes\n[Service]\nExecStart=-/x\n",
                "a.service"
            ),
            []
        );
    }

    #[test]
    fn a_good_unit_has_no_findings_and_an_absent_one_has() {
        assert_eq!(found("[Unit]\nDescription=x\n", "a.target"), []);
        let directory = tempfile::tempdir().unwrap();
        let disk = Disk::new(Some(&directory.path().to_owned()));
        let findings = look(&disk, "absent", false).unwrap();
        assert!(
            findings.iter().any(|f| f.severity == Severity::Error),
            "{findings:?}"
        );
        let findings = look(&disk, "./absent.service", false).unwrap();
        assert!(
            findings.iter().any(|f| f.message.contains("cannot be read")),
            "{findings:?}"
        );
    }
}
