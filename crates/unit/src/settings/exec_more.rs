//! The settings of a process' environment that are sets, credentials, terminals and scheduling.

use super::unit::from_word;
use super::{Applied, Fault, Outcome};
use crate::model::{
    CAPABILITIES, CapabilitySet, CpuPolicy, Credential, CredentialImport, CredentialSource, ExecContext,
    IoClass,
};
use crate::syntax::shown;
use crate::value::{base64, boolean, did_you_mean, integer, split_words};

pub(super) fn apply(exec: &mut ExecContext, key: &str, value: &str) -> Outcome {
    match key {
        "SupplementaryGroups" => words(&mut exec.supplementary_groups, value)?,
        "PassEnvironment" => words(&mut exec.pass_environment, value)?,
        "UnsetEnvironment" => words(&mut exec.unset_environment, value)?,
        "CapabilityBoundingSet" => {
            exec.capability_bounding_set = Some(capabilities(
                exec.capability_bounding_set,
                CapabilitySet::ALL,
                value,
            )?);
        }
        "AmbientCapabilities" => {
            let old =
                (exec.ambient_capabilities != CapabilitySet::EMPTY).then_some(exec.ambient_capabilities);
            exec.ambient_capabilities = capabilities(old, CapabilitySet::EMPTY, value)?;
        }
        "SecureBits" => secure_bits(exec, value)?,
        "Personality" => {
            const KNOWN: [&str; 12] = [
                "arm",
                "arm64",
                "loongarch64",
                "mips",
                "mips64",
                "ppc64",
                "ppc64-le",
                "riscv64",
                "s390",
                "s390x",
                "x86",
                "x86-64",
            ];
            if !value.is_empty() && !KNOWN.contains(&value) {
                let hint = did_you_mean(value, KNOWN.into_iter());
                return Err(Fault::at(
                    value,
                    format!("{} is no architecture{hint}", shown(value)),
                ));
            }
            exec.personality = some(value);
        }
        "RootImage" if value.is_empty() => exec.root_image = None,
        "RootImage" => {
            exec.root_image = some(value);
            return Err(Fault::refused(
                "disk images are not supported; without it the unit would see the whole system",
            ));
        }
        "LoadCredentialEncrypted" | "SetCredentialEncrypted" if value.is_empty() => {}
        "LoadCredentialEncrypted" | "SetCredentialEncrypted" => {
            return Err(Fault::refused(
                "encrypted credentials are not supported; use the setting without Encrypted",
            ));
        }
        "LoadCredential" if value.is_empty() => exec.load_credentials.clear(),
        "LoadCredential" => {
            let (id, source) = value.split_once(':').unwrap_or((value, value));
            let source = match source {
                "" => CredentialSource::Manager(id.to_owned()),
                path if path.starts_with('/') => CredentialSource::Path(path.to_owned()),
                name => CredentialSource::Manager(credential_id(name)?.to_owned()),
            };
            exec.load_credentials.push(Credential {
                id: credential_id(id)?.to_owned(),
                source,
            });
        }
        "SetCredential" if value.is_empty() => exec.set_credentials.clear(),
        "SetCredential" => {
            let (id, text) = value
                .split_once(':')
                .ok_or_else(|| Fault::at(value, format!("{} is no NAME:contents", shown(value))))?;
            exec.set_credentials.push(Credential {
                id: credential_id(id)?.to_owned(),
                source: CredentialSource::Text(crate::value::unescape_text(text)?),
            });
        }
        "ImportCredential" if value.is_empty() => exec.credential_imports.clear(),
        "ImportCredential" => {
            let (pattern, rename) = value
                .split_once(':')
                .map_or((value, None), |(pattern, rename)| (pattern, Some(rename)));
            exec.credential_imports.push(CredentialImport {
                pattern: credential_id(pattern)?.to_owned(),
                rename: rename.map(credential_id).transpose()?.map(str::to_owned),
            });
        }
        "StandardInputText" if value.is_empty() => exec.stdin_data.clear(),
        "StandardInputText" => {
            exec.stdin_data
                .extend(crate::value::unescape_text(value)?.into_bytes());
            exec.stdin_data.push(b'\n');
        }
        "StandardInputData" if value.is_empty() => exec.stdin_data.clear(),
        "StandardInputData" => exec.stdin_data.extend(base64(value)?),
        "SetLoginEnvironment" => {
            exec.set_login_environment = if value.is_empty() {
                None
            } else {
                Some(boolean(value)?)
            };
        }
        "TTYReset" => exec.tty_reset = boolean(value)?,
        "TTYVHangup" => exec.tty_vhangup = boolean(value)?,
        "TTYVTDisallocate" => exec.tty_vt_disallocate = boolean(value)?,
        "TTYColumns" => exec.tty_columns = optional_number(value)?,
        "TTYRows" => exec.tty_rows = optional_number(value)?,
        "SyslogIdentifier" => exec.syslog_identifier = some(value),
        "SyslogFacility" => exec.syslog_facility = facility(value)?,
        "SyslogLevel" => exec.syslog_level = log_level(value)?.unwrap_or(ExecContext::default().syslog_level),
        "SyslogLevelPrefix" => exec.syslog_level_prefix = boolean(value)?,
        "LogLevelMax" => exec.log_level_max = log_level(value)?,
        _ => return scheduling(exec, key, value),
    }
    Ok(Applied::Done)
}

fn scheduling(exec: &mut ExecContext, key: &str, value: &str) -> Outcome {
    let scheduling = &mut exec.scheduling;
    match key {
        "CPUSchedulingPolicy" => {
            scheduling.cpu_policy = match value {
                "" => None,
                value => Some(from_word::<CpuPolicy>(
                    value,
                    "policy; expected other, batch, idle, fifo, rr or ext",
                )?),
            }
        }
        "CPUSchedulingPriority" => scheduling.cpu_priority = ranged(value, 1, 99)?,
        "CPUSchedulingResetOnFork" => scheduling.reset_on_fork = boolean(value)?,
        "IOSchedulingClass" => {
            scheduling.io_class = match value {
                "" => None,
                "0" => Some(IoClass::None),
                "1" => Some(IoClass::Realtime),
                "2" => Some(IoClass::BestEffort),
                "3" => Some(IoClass::Idle),
                word => Some(from_word::<IoClass>(
                    word,
                    "class; expected none, realtime, best-effort or idle",
                )?),
            }
        }
        "IOSchedulingPriority" => scheduling.io_priority = ranged(value, 0, 7)?,
        _ => return Ok(Applied::Unknown),
    }
    Ok(Applied::Done)
}

fn some(value: &str) -> Option<String> {
    (!value.is_empty()).then(|| value.to_owned())
}

fn words(list: &mut Vec<String>, value: &str) -> Result<(), Fault> {
    if value.is_empty() {
        list.clear();
    }
    list.extend(split_words(value)?);
    Ok(())
}

fn optional_number(value: &str) -> Result<Option<u32>, String> {
    match value {
        "" => Ok(None),
        value => integer(value).map(Some),
    }
}

fn ranged(value: &str, least: u32, most: u32) -> Result<Option<u32>, Fault> {
    match optional_number(value)? {
        Some(number) if number < least || number > most => Err(Fault::at(
            value,
            format!("{number} is out of range; expected {least} to {most}"),
        )),
        number => Ok(number),
    }
}

/// A file name: it becomes one in the credentials directory.
fn credential_id(id: &str) -> Result<&str, Fault> {
    let good = !id.is_empty() && id != "." && id != ".." && id.len() <= 255 && !id.contains('/');
    good.then_some(id).ok_or_else(|| {
        Fault::at(
            id,
            format!("{} is no credential name: a file name without slash", shown(id)),
        )
    })
}

/// The first list says what remains, or with `~` what goes; further ones add, or with `~` take away.
fn capabilities(old: Option<CapabilitySet>, all: CapabilitySet, value: &str) -> Result<CapabilitySet, Fault> {
    let (taken, list) = value
        .strip_prefix('~')
        .map_or((false, value), |rest| (true, rest));
    let mut named = CapabilitySet::EMPTY;
    for word in split_words(list)? {
        let number = CapabilitySet::number(&word).ok_or_else(|| {
            let all: Vec<String> = CAPABILITIES.iter().map(|name| format!("CAP_{name}")).collect();
            let hint = did_you_mean(&word, all.iter().map(String::as_str));
            Fault::at(&word, format!("{} is no capability{hint}", shown(&word)))
        })?;
        named = named.with(number);
    }
    Ok(match (old, taken) {
        (_, false) if list.is_empty() => CapabilitySet::EMPTY,
        (_, true) if list.is_empty() => CapabilitySet::ALL,
        (Some(old), false) => CapabilitySet(old.0 | named.0),
        (Some(old), true) => CapabilitySet(old.0 & !named.0),
        (None, false) => named,
        (None, true) if all == CapabilitySet::EMPTY => CapabilitySet::EMPTY,
        (None, true) => CapabilitySet(!named.0),
    })
}

/// Bits of capabilities(7).
fn secure_bits(exec: &mut ExecContext, value: &str) -> Result<(), Fault> {
    const BITS: [(&str, u32); 6] = [
        ("noroot", 0),
        ("noroot-locked", 1),
        ("no-setuid-fixup", 2),
        ("no-setuid-fixup-locked", 3),
        ("keep-caps", 4),
        ("keep-caps-locked", 5),
    ];
    if value.is_empty() {
        exec.secure_bits = 0;
    }
    for word in split_words(value)? {
        let Some((_, bit)) = BITS.iter().find(|(name, _)| *name == word) else {
            let hint = did_you_mean(&word, BITS.iter().map(|(name, _)| *name));
            return Err(Fault::at(
                &word,
                format!("{} is no secure bit{hint}", shown(&word)),
            ));
        };
        exec.secure_bits |= 1 << bit;
    }
    Ok(())
}

/// A level of syslog(3), by name or number; no value: none.
fn log_level(value: &str) -> Result<Option<u8>, Fault> {
    const LEVELS: [&str; 8] = [
        "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug",
    ];
    if value.is_empty() {
        return Ok(None);
    }
    numbered(&LEVELS, value, "log level").map(Some)
}

/// A facility of syslog(3), by name or number.
fn facility(value: &str) -> Result<u8, Fault> {
    // Twelve to fifteen have no names.
    const FACILITIES: [&str; 24] = [
        "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
        "12", "13", "14", "15", "local0", "local1", "local2", "local3", "local4", "local5", "local6",
        "local7",
    ];
    if value.is_empty() {
        return Ok(ExecContext::default().syslog_facility);
    }
    numbered(&FACILITIES, value, "facility")
}

fn numbered(names: &[&'static str], value: &str, what: &str) -> Result<u8, Fault> {
    (0_u8..)
        .zip(names)
        .find(|(number, name)| **name == value || number.to_string() == value)
        .map(|(number, _)| number)
        .ok_or_else(|| {
            let hint = did_you_mean(value, names.iter().copied());
            Fault::at(value, format!("{} is no {what}{hint}", shown(value)))
        })
}
