//! From the text to a workload.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::check::Wrong;
use super::{Action, Listen, Service, Socket, View, ViewedProbe, What, Workload};
use crate::duration;
use crate::endpoint::Endpoint;
use crate::probe::Probe;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct File {
    case: String,
    #[serde(default)]
    service: Vec<FileService>,
    #[serde(default)]
    socket: Vec<FileSocket>,
    #[serde(default)]
    probe: Vec<FileProbe>,
    #[serde(default)]
    event: Vec<FileEvent>,
    cycles: Option<Spanned<u32>>,
    quiet: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileService {
    name: Spanned<String>,
    exec: Spanned<String>,
    #[serde(default)]
    survives: bool,
    #[serde(default)]
    settings: BTreeMap<Spanned<String>, Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileSocket {
    name: Spanned<String>,
    listen: Spanned<String>,
    service: Option<Spanned<String>>,
    #[serde(default)]
    accept: bool,
    #[serde(default)]
    kept: bool,
    #[serde(default)]
    settings: BTreeMap<Spanned<String>, Spanned<String>>,
    copies: Option<Spanned<u32>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileProbe {
    name: Spanned<String>,
    endpoint: Spanned<String>,
    rate: Option<Spanned<u32>>,
    timeout: Option<Spanned<String>>,
    view: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct FileEvent {
    #[serde(rename = "do")]
    what: Spanned<String>,
    name: Option<String>,
    unit: Option<Spanned<String>>,
}

/// Faults as they are found. All are told at once.
#[derive(Default)]
struct Found(Vec<Wrong>);

impl Found {
    /// The value, or its fault is kept and a default stands in for it.
    fn take<T: Default>(&mut self, result: Result<T, Wrong>) -> T {
        result.unwrap_or_else(|wrong| {
            self.0.push(wrong);
            T::default()
        })
    }
}

pub(super) fn parse(text: &str) -> Result<Workload, Vec<Wrong>> {
    let file: File = toml::from_str(text).map_err(|error| {
        let reason = error.message().trim().replace('\n', "; ");
        vec![Wrong::new(error.span().unwrap_or(0..0), reason)]
    })?;
    let mut found = Found::default();
    let mut names = BTreeSet::new();
    let services: Vec<Service> = file
        .service
        .into_iter()
        .map(|service| self::service(service, &mut names, &mut found))
        .collect();
    let sockets: Vec<Socket> = file
        .socket
        .into_iter()
        .map(|socket| self::socket(socket, &services, &mut names, &mut found))
        .collect();
    let mut probes = Vec::with_capacity(file.probe.len());
    for probe in file.probe {
        probes.extend(self::probe(probe, &mut names, &mut found));
    }
    if probes.is_empty() && found.0.is_empty() {
        found.0.push(Wrong::new(
            0..0,
            "nothing is probed: write at least one [[probe]]",
        ));
    }
    if file.event.is_empty() && found.0.is_empty() {
        found
            .0
            .push(Wrong::new(0..0, "nothing happens: write at least one [[event]]"));
    }
    let units: BTreeSet<&str> = services
        .iter()
        .map(|service| service.name.as_str())
        .chain(sockets.iter().map(|socket| socket.name.as_str()))
        .collect();
    let events = file.event.into_iter().map(|event| self::event(event, &units));
    let events: Vec<Action> = events
        .filter_map(|event| event.map_err(|wrong| found.0.push(wrong)).ok())
        .collect();
    let workload = Workload {
        case: file.case,
        cycles: file
            .cycles
            .map_or(10, |cycles| found.take(in_range(&cycles, 1, 100_000))),
        quiet: file
            .quiet
            .map_or(Duration::from_secs(2), |quiet| found.take(time(&quiet))),
        services,
        sockets,
        probes,
        events,
    };
    if found.0.is_empty() {
        Ok(workload)
    } else {
        Err(found.0)
    }
}

fn service(file: FileService, names: &mut BTreeSet<String>, found: &mut Found) -> Service {
    let settings = settings(file.settings, found);
    Service {
        name: found.take(unit(&file.name, ".service", names)),
        exec: found.take(line(&file.exec)),
        survives: file.survives,
        settings,
    }
}

/// Lines of a section of a unit file.
fn settings(lines: BTreeMap<Spanned<String>, Spanned<String>>, found: &mut Found) -> Vec<(String, String)> {
    for (key, value) in &lines {
        if !key.get_ref().chars().all(|c| c.is_ascii_alphanumeric()) || key.get_ref().is_empty() {
            found.0.push(Wrong::new(
                key.span(),
                format!("{:?} is no setting", key.get_ref()),
            ));
        }
        found.take(line(value).map(drop));
    }
    lines
        .into_iter()
        .map(|(key, value)| (key.into_inner(), value.into_inner()))
        .collect()
}

fn socket(file: FileSocket, services: &[Service], names: &mut BTreeSet<String>, found: &mut Found) -> Socket {
    let name = found.take(unit(&file.name, ".socket", names));
    let copies = file
        .copies
        .map_or(1, |copies| found.take(in_range(&copies, 1, 10_000)));
    let listen = listen(&file.listen, copies).unwrap_or_else(|wrong| {
        found.0.push(wrong);
        Listen::Stream(String::new())
    });
    let (service, span) = match file.service {
        Some(service) => (service.get_ref().clone(), service.span()),
        None => (
            format!("{}.service", name.trim_end_matches(".socket")),
            file.name.span(),
        ),
    };
    if !services.iter().any(|known| known.name == service) {
        let reason = format!("it starts {service:?}, and there is no [[service]] of that name");
        found.0.push(Wrong::new(span, reason));
    }
    Socket {
        name,
        listen,
        service,
        accept: file.accept,
        kept: file.kept,
        settings: settings(file.settings, found),
        copies,
    }
}

fn listen(text: &Spanned<String>, copies: u32) -> Result<Listen, Wrong> {
    let wrong = |reason: String| Wrong::new(text.span(), reason);
    let endpoint: Endpoint = text
        .get_ref()
        .parse()
        .map_err(|_| wrong("write tcp:IP:PORT, unix:/PATH or udp:IP:PORT".to_owned()))?;
    match endpoint {
        Endpoint::UnixEcho(path) => Ok(Listen::Stream(path.display().to_string())),
        _ if copies > 1 => Err(wrong(
            "copies need a path, which can be numbered: unix:/PATH".to_owned(),
        )),
        Endpoint::Echo(address) => Ok(Listen::Stream(address.to_string())),
        Endpoint::Udp(address) => Ok(Listen::Datagram(address.to_string())),
        _ => Err(wrong(
            "a socket listens at tcp:IP:PORT, unix:/PATH or udp:IP:PORT".to_owned(),
        )),
    }
}

fn probe(file: FileProbe, names: &mut BTreeSet<String>, found: &mut Found) -> Option<ViewedProbe> {
    let name = file.name.get_ref().clone();
    if !names.insert(format!("probe {name}")) {
        found.0.push(Wrong::new(
            file.name.span(),
            format!("there are two probes {name:?}"),
        ));
    }
    let rate = file
        .rate
        .map_or(1000, |rate| found.take(in_range(&rate, 1, 100_000)));
    let view = match file
        .view
        .as_ref()
        .map(|view| (view.get_ref().as_str(), view.span()))
    {
        None | Some(("survivor", _)) => View::Survivor,
        Some(("host", _)) => View::Host,
        Some((other, span)) => {
            found.0.push(Wrong::new(
                span,
                format!("{other:?} is no view: survivor or host"),
            ));
            View::Survivor
        }
    };
    let timeout = file.timeout.map(|timeout| found.take(time(&timeout)));
    match file.endpoint.get_ref().parse::<Endpoint>() {
        Ok(endpoint) => Some(ViewedProbe {
            view,
            probe: Probe {
                name,
                timeout: timeout.unwrap_or_else(|| endpoint.default_timeout()),
                endpoint,
                interval: Duration::from_nanos(1_000_000_000 / u64::from(rate.max(1))),
            },
        }),
        Err(error) => {
            found.0.push(Wrong::new(file.endpoint.span(), error.to_string()));
            None
        }
    }
}

fn event(file: FileEvent, units: &BTreeSet<&str>) -> Result<Action, Wrong> {
    let word = file.what.get_ref().clone();
    let what = match (word.as_str(), file.unit) {
        ("soft-reboot", None) => What::SoftReboot,
        ("re-exec", None) => What::Reexec,
        ("restart", Some(unit)) if units.contains(unit.get_ref().as_str()) => {
            What::Restart(unit.into_inner())
        }
        ("restart", Some(unit)) => {
            let reason = format!("there is no unit {:?} in this file", unit.get_ref());
            return Err(Wrong::new(unit.span(), reason));
        }
        ("restart", None) => return Err(Wrong::new(file.what.span(), "say which: unit = \"NAME\"")),
        ("soft-reboot" | "re-exec", Some(unit)) => {
            return Err(Wrong::new(
                unit.span(),
                format!("a {word} is of the manager, not of a unit"),
            ));
        }
        _ => {
            let reason = format!("{word:?} is no event: soft-reboot, re-exec or restart");
            return Err(Wrong::new(file.what.span(), reason));
        }
    };
    Ok(Action {
        name: file.name.unwrap_or(word),
        what,
    })
}

/// The name of a unit that no other has.
fn unit(name: &Spanned<String>, suffix: &str, names: &mut BTreeSet<String>) -> Result<String, Wrong> {
    let text = name.get_ref();
    let stem = text.strip_suffix(suffix).unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || ":-_.".contains(c);
    if stem.is_empty() || !stem.chars().all(allowed) {
        let reason = format!("{text:?} is no name of a unit: letters, digits and :-_. before {suffix}");
        return Err(Wrong::new(name.span(), reason));
    }
    if !names.insert(text.clone()) {
        return Err(Wrong::new(name.span(), format!("there are two units {text:?}")));
    }
    Ok(text.clone())
}

/// Text that stays on its line of a unit file.
fn line(text: &Spanned<String>) -> Result<String, Wrong> {
    let value = text.get_ref();
    if value.trim().is_empty() || value.contains(['\n', '\r', '\0']) || value.ends_with('\\') {
        return Err(Wrong::new(
            text.span(),
            "this has to be one line that is not empty",
        ));
    }
    Ok(value.clone())
}

fn in_range(value: &Spanned<u32>, low: u32, high: u32) -> Result<u32, Wrong> {
    match *value.get_ref() {
        number if (low..=high).contains(&number) => Ok(number),
        number => Err(Wrong::new(
            value.span(),
            format!("{number} is not between {low} and {high}"),
        )),
    }
}

fn time(text: &Spanned<String>) -> Result<Duration, Wrong> {
    match duration::parse(text.get_ref()) {
        Ok(Duration::ZERO) => Err(Wrong::new(text.span(), "no time at all is too little")),
        other => other.map_err(|error| Wrong::new(text.span(), error.to_string())),
    }
}
