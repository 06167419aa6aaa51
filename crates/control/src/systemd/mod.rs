//! `io.systemd.Manager`, `io.systemd.Unit` and `io.systemd.Job`, so that tools made for them work (semantics 8.4).
//!
//! A subset: what is here has the names and types it has there, what softbootd has nothing to say about is left out,
//! from the descriptions too.

mod marker;
mod transient;
mod types;

pub use marker::{Marker, MarkerChange, PropertyError};
pub use transient::{ContextError, TransientUnit};
pub use types::*;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::api::MethodError;
use crate::connection::Call;

/// What all these interfaces begin with.
const PREFIX: &str = "io.systemd.";

/// Each interface with its description and its methods.
const INTERFACES: [(&str, &str, &[&str]); 3] = [
    (
        "io.systemd.Manager",
        include_str!("io.systemd.Manager.varlink"),
        &[
            "Describe",
            "Reload",
            "Reexecute",
            "EnqueueMarkedJobs",
            "PowerOff",
            "Reboot",
            "Halt",
            "KExec",
            "SoftReboot",
        ],
    ),
    (
        "io.systemd.Unit",
        include_str!("io.systemd.Unit.varlink"),
        &["List", "SetProperties", "StartTransient"],
    ),
    (
        "io.systemd.Job",
        include_str!("io.systemd.Job.varlink"),
        &["List", "Cancel", "ClearAll"],
    ),
];

/// The names of the interfaces.
pub fn names() -> impl Iterator<Item = &'static str> {
    INTERFACES.iter().map(|(name, _, _)| *name)
}

/// The description of an interface.
pub fn description(interface: &str) -> Option<&'static str> {
    let found = INTERFACES.iter().find(|(name, _, _)| *name == interface);
    found.map(|(_, description, _)| *description)
}

/// A call, decoded.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "method", content = "parameters")]
#[expect(missing_docs, reason = "the descriptions say it, and a test compares the two")]
pub enum SystemdRequest {
    #[serde(rename = "Manager.Describe")]
    Describe {},
    #[serde(rename = "Manager.Reload")]
    Reload {},
    #[serde(rename = "Manager.Reexecute")]
    Reexecute {},
    #[serde(rename = "Manager.EnqueueMarkedJobs")]
    EnqueueMarkedJobs {},
    #[serde(rename = "Manager.PowerOff")]
    PowerOff {},
    #[serde(rename = "Manager.Reboot")]
    Reboot {},
    #[serde(rename = "Manager.Halt")]
    Halt {},
    #[serde(rename = "Manager.KExec")]
    KExec {},
    #[serde(rename = "Manager.SoftReboot")]
    SoftReboot {
        #[serde(default)]
        root: Option<String>,
    },
    #[serde(rename = "Unit.List")]
    ListUnits(UnitFilter),
    #[serde(rename = "Unit.SetProperties")]
    SetProperties {
        name: String,
        runtime: bool,
        properties: Value,
    },
    #[serde(rename = "Unit.StartTransient", rename_all = "camelCase")]
    StartTransient {
        context: Value,
        #[serde(default)]
        mode: Option<String>,
        #[serde(default)]
        notify_job_changes: Option<bool>,
        #[serde(default)]
        notify_unit_changes: Option<bool>,
    },
    #[serde(rename = "Job.List")]
    ListJobs {
        #[serde(default)]
        id: Option<u32>,
        #[serde(default)]
        unit: Option<String>,
    },
    #[serde(rename = "Job.Cancel")]
    CancelJob { id: u32 },
    #[serde(rename = "Job.ClearAll")]
    ClearJobs {},
}

impl SystemdRequest {
    /// Decodes a call; `None` for one of another family of interfaces.
    pub fn parse(call: &Call) -> Option<Result<SystemdRequest, MethodError>> {
        let short = call.method.strip_prefix(PREFIX)?;
        let known = |(interface, method): (&str, &str)| {
            let mut interfaces = INTERFACES.iter();
            interfaces.any(|(name, _, methods)| {
                name.strip_prefix(PREFIX) == Some(interface) && methods.contains(&method)
            })
        };
        if !short.rsplit_once('.').is_some_and(known) {
            return Some(Err(MethodError::MethodNotFound {
                method: call.method.clone(),
            }));
        }
        let parameters = match &call.parameters {
            Value::Null => json!({}),
            other => other.clone(),
        };
        if !parameters.is_object() {
            return Some(Err(MethodError::InvalidParameter {
                parameter: "parameters".to_owned(),
            }));
        }
        let value = json!({ "method": short, "parameters": parameters });
        Some(
            serde_json::from_value(value).map_err(|error| MethodError::InvalidParameter {
                parameter: crate::api::parameter_of(&error),
            }),
        )
    }

    /// Whether only root may make this call.
    pub fn needs_root(&self) -> bool {
        !matches!(
            self,
            SystemdRequest::Describe {} | SystemdRequest::ListUnits(_) | SystemdRequest::ListJobs { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &str, parameters: Value) -> Call {
        Call {
            method: method.to_owned(),
            parameters,
            more: false,
            oneway: false,
        }
    }

    fn fields(interface: &str, start: &str) -> Vec<String> {
        let text = description(interface).unwrap();
        let after = text.split_once(start).unwrap().1;
        let body = after.split_once('(').unwrap().1.split_once(')').unwrap().0;
        let mut names: Vec<String> = body
            .split(',')
            .map(|field| field.split(':').next().unwrap().trim().to_owned())
            .collect();
        names.sort();
        names
    }

    fn keys(value: &impl serde::Serialize) -> Vec<String> {
        let value = serde_json::to_value(value).unwrap();
        let mut names: Vec<String> = value.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    }

    #[test]
    fn the_descriptions_have_every_method_and_no_other() {
        for (name, description, methods) in INTERFACES {
            assert!(description.contains(&format!("interface {name}\n")));
            let mut described: Vec<&str> = description
                .lines()
                .filter_map(|line| line.strip_prefix("method "))
                .map(|line| line.split('(').next().unwrap())
                .collect();
            described.sort_unstable();
            let mut methods = methods.to_vec();
            methods.sort_unstable();
            assert_eq!(described, methods, "{name}");
            for method in methods {
                let parameters =
                    json!({ "id": 1, "name": "a.service", "runtime": true, "properties": {}, "context": {} });
                let parsed = SystemdRequest::parse(&call(&format!("{name}.{method}"), parameters));
                assert!(matches!(parsed, Some(Ok(_))), "{name}.{method}: {parsed:?}");
            }
        }
    }

    #[test]
    fn descriptions_have_no_container_in_a_container() {
        // The grammar knows such types, systemd's reader of it does not, and shows nothing of the whole interface.
        for text in INTERFACES
            .iter()
            .map(|(_, text, _)| *text)
            .chain([crate::api::DESCRIPTION])
        {
            assert!(
                !["][]", "][string]"].iter().any(|nested| text.contains(nested)),
                "{text}"
            );
        }
    }

    #[test]
    fn the_described_types_have_the_fields_of_the_real_ones() {
        let (manager, unit) = ("io.systemd.Manager", "io.systemd.Unit");
        assert_eq!(
            fields(manager, "type ManagerContext"),
            keys(&ManagerContext::default())
        );
        assert_eq!(
            fields(manager, "type ManagerRuntime"),
            keys(&ManagerRuntime::default())
        );
        assert_eq!(fields(manager, "type Timestamp"), keys(&Timestamp::default()));
        assert_eq!(fields(unit, "type Timestamp"), keys(&Timestamp::default()));
        assert_eq!(fields(unit, "type UnitRuntime"), keys(&UnitRuntime::default()));
        assert_eq!(
            fields(unit, "type CGroupRuntime"),
            keys(&CGroupRuntime::default())
        );
        let context = UnitContext {
            dependencies: RELATIONS.iter().map(|r| ((*r).to_owned(), Vec::new())).collect(),
            ..UnitContext::default()
        };
        assert_eq!(fields(unit, "type UnitContext"), keys(&context));
        let relations = crate::api::DESCRIPTION
            .split_once("type UnitRelations (")
            .unwrap()
            .1;
        let relations = relations.split_once("\n)").unwrap().0.lines().skip(1);
        let relations = relations.map(|line| line.trim().split_once(':').unwrap().0);
        assert_eq!(
            relations.collect::<std::collections::BTreeSet<_>>(),
            RELATIONS.iter().copied().collect()
        );
        assert_eq!(fields("io.systemd.Job", ") -> "), keys(&JobEntry::default()));
        assert_eq!(
            fields(unit, "type ServiceContext"),
            keys(&ServiceContext::default())
        );
        assert_eq!(fields(unit, "type ExecContext"), keys(&ExecContext::default()));
        assert_eq!(
            fields(unit, "type WorkingDirectory"),
            keys(&WorkingDirectory::default())
        );
        assert_eq!(fields(unit, "type ExecCommand"), keys(&ExecCommand::default()));
        assert_eq!(fields(unit, "type Job "), keys(&TransientJob::default()));
        let reply = TransientReply {
            context: Some(UnitContext::default()),
            runtime: Some(UnitRuntime::default()),
            job: Some(TransientJob::default()),
        };
        assert_eq!(fields(unit, "notifyUnitChanges: ?bool\n) -> "), keys(&reply));
        assert_eq!(
            fields(manager, "method EnqueueMarkedJobs() -> "),
            keys(&MarkedReply::default())
        );
    }

    #[test]
    fn wrong_calls_are_told_apart() {
        let error = |method: &str, parameters| {
            SystemdRequest::parse(&call(method, parameters))
                .unwrap()
                .unwrap_err()
        };
        for method in [
            "io.systemd.Manager.Frob",
            "io.systemd.Manager",
            "io.systemd.X.List",
            "io.systemd.",
        ] {
            assert!(
                matches!(error(method, json!({})), MethodError::MethodNotFound { .. }),
                "{method}"
            );
        }
        for (method, parameters) in [
            ("io.systemd.Job.Cancel", json!({})),
            ("io.systemd.Job.Cancel", json!({ "id": "x" })),
            ("io.systemd.Unit.List", json!({ "name": 7 })),
            ("io.systemd.Unit.List", json!({ "pid": 7 })),
            (
                "io.systemd.Unit.SetProperties",
                json!({ "name": "a.service", "properties": {} }),
            ),
            ("io.systemd.Unit.StartTransient", json!({})),
            ("io.systemd.Manager.Describe", json!([])),
        ] {
            let found = error(method, parameters.clone());
            assert!(
                matches!(found, MethodError::InvalidParameter { .. }),
                "{method} {parameters}"
            );
        }
        assert_eq!(
            SystemdRequest::parse(&call("io.softboot.Manager.Ping", json!({}))),
            None
        );
    }

    #[test]
    fn others_than_root_may_look_only() {
        let root = |method: &str, parameters| {
            let request = SystemdRequest::parse(&call(method, parameters)).unwrap().unwrap();
            request.needs_root()
        };
        assert!(!root("io.systemd.Manager.Describe", json!({})));
        assert!(!root("io.systemd.Unit.List", json!({})));
        assert!(!root("io.systemd.Job.List", json!({})));
        assert!(root("io.systemd.Job.ClearAll", json!({})));
        assert!(root("io.systemd.Manager.EnqueueMarkedJobs", json!({})));
        assert!(root("io.systemd.Unit.StartTransient", json!({ "context": {} })));
        assert!(root("io.systemd.Manager.SoftReboot", json!({})));
    }
}
