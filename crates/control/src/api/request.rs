//! The calls.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    EnqueueRequest, ExplainRequest, KillRequest, LogsRequest, MethodError, SubscribeRequest, TransientRequest,
};
use crate::connection::Call;
use crate::systemd::SystemdRequest;

/// The interface's name.
pub const INTERFACE: &str = "io.softboot.Manager";
/// The interface every Varlink service has.
pub(super) const SERVICE: &str = "org.varlink.service";

/// A call, decoded. Variants are the interface's methods, fields its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "method", content = "parameters", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "DESCRIPTION says it, and a test compares the two")]
pub enum Request {
    #[serde(skip)]
    GetInfo,
    #[serde(skip)]
    GetInterfaceDescription {
        interface: String,
    },
    /// A call of one of the interfaces that tools of systemd use.
    #[serde(skip)]
    Systemd(SystemdRequest),
    Ping {},
    Describe {},
    ListUnits {
        #[serde(default)]
        patterns: Vec<String>,
        #[serde(default)]
        all: bool,
    },
    GetUnit {
        name: String,
    },
    ListFds {
        name: String,
    },
    Enqueue(EnqueueRequest),
    Explain(ExplainRequest),
    ListJobs {},
    CancelJob {
        id: u32,
    },
    ResetFailed {
        #[serde(default)]
        name: Option<String>,
    },
    Logs(LogsRequest),
    Reload {},
    Reexecute {
        #[serde(default)]
        check: bool,
    },
    SoftReboot {
        #[serde(default)]
        wait: bool,
        #[serde(default)]
        check: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        root: Option<String>,
    },
    PowerOff {
        #[serde(default)]
        force: bool,
    },
    Reboot {
        #[serde(default)]
        force: bool,
    },
    Halt {
        #[serde(default)]
        force: bool,
    },
    Kexec {
        #[serde(default)]
        force: bool,
    },
    IsSystemRunning {
        #[serde(default)]
        wait: bool,
    },
    GetProperties {
        #[serde(default)]
        name: Option<String>,
    },
    ListDependencies {
        #[serde(default)]
        relations: Vec<String>,
    },
    Timeline {},
    Greyout {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<u32>,
    },
    Snapshot {},
    Kill(KillRequest),
    Clean {
        name: String,
        #[serde(default)]
        what: Vec<String>,
    },
    SetEnvironment {
        #[serde(default)]
        assignments: Vec<String>,
    },
    UnsetEnvironment {
        #[serde(default)]
        names: Vec<String>,
    },
    Exit {
        #[serde(default)]
        code: u8,
        #[serde(default)]
        force: bool,
    },
    StartTransient(TransientRequest),
    Subscribe(SubscribeRequest),
}

impl Request {
    /// Decodes a call. An unknown method and a wrong parameter are told apart, as the Varlink service interface asks.
    pub fn parse(call: &Call) -> Result<Request, MethodError> {
        if let Some(request) = SystemdRequest::parse(call) {
            return request.map(Request::Systemd);
        }
        let not_found = || MethodError::MethodNotFound {
            method: call.method.clone(),
        };
        let (interface, method) = call.method.rsplit_once('.').ok_or_else(not_found)?;
        if interface == SERVICE {
            return parse_service(method, &call.parameters).ok_or_else(not_found)?;
        }
        if interface != INTERFACE || !METHODS.contains(&method) {
            return Err(not_found());
        }
        let parameters = match &call.parameters {
            Value::Null => json!({}),
            Value::Object(_) => call.parameters.clone(),
            _ => {
                return Err(MethodError::InvalidParameter {
                    parameter: "parameters".to_owned(),
                });
            }
        };
        serde_json::from_value(json!({ "method": method, "parameters": parameters })).map_err(|error| {
            MethodError::InvalidParameter {
                parameter: parameter_of(&error),
            }
        })
    }

    /// The call as a client sends it.
    pub fn to_call(&self) -> (String, Value) {
        match self {
            Request::GetInfo => (format!("{SERVICE}.GetInfo"), json!({})),
            Request::GetInterfaceDescription { interface } => (
                format!("{SERVICE}.GetInterfaceDescription"),
                json!({ "interface": interface }),
            ),
            other => {
                // The derived form is {"method": …, "parameters": …}; it cannot fail for these plain types.
                let value = serde_json::to_value(other).unwrap_or_default();
                let method = value.get("method").and_then(Value::as_str).unwrap_or_default();
                (
                    format!("{INTERFACE}.{method}"),
                    value.get("parameters").cloned().unwrap_or_else(|| json!({})),
                )
            }
        }
    }

    /// Whether only root may make this call. The others only look, and see no log lines.
    pub fn needs_root(&self) -> bool {
        if let Request::Systemd(request) = self {
            return request.needs_root();
        }
        !matches!(
            self,
            Request::GetInfo
                | Request::GetInterfaceDescription { .. }
                | Request::Ping {}
                | Request::Describe {}
                | Request::ListUnits { .. }
                | Request::GetUnit { .. }
                | Request::ListJobs {}
                | Request::Explain(_)
                | Request::IsSystemRunning { .. }
                | Request::GetProperties { .. }
                | Request::ListDependencies { .. }
                | Request::Timeline {}
                | Request::Greyout { .. }
                | Request::Subscribe(_)
        )
    }

    /// Whether the call only looks, so that it can be made again after a connection was lost.
    pub fn is_repeatable(&self) -> bool {
        match self {
            Request::ListFds { .. } | Request::Logs(_) | Request::Reload {} | Request::ResetFailed { .. } => {
                true
            }
            // They name the state to reach, not a change.
            Request::Enqueue(wanted) => ["start", "stop", "verify-active"].contains(&wanted.job.as_str()),
            _ => !self.needs_root(),
        }
    }
}

/// Every method of the interface.
pub(super) const METHODS: [&str; 31] = [
    "Ping",
    "Describe",
    "ListUnits",
    "GetUnit",
    "ListFds",
    "Enqueue",
    "Explain",
    "ListJobs",
    "CancelJob",
    "ResetFailed",
    "Logs",
    "Reload",
    "Reexecute",
    "SoftReboot",
    "PowerOff",
    "Reboot",
    "Halt",
    "Kexec",
    "IsSystemRunning",
    "GetProperties",
    "ListDependencies",
    "Timeline",
    "Greyout",
    "Snapshot",
    "Kill",
    "Clean",
    "SetEnvironment",
    "UnsetEnvironment",
    "Exit",
    "StartTransient",
    "Subscribe",
];

fn parse_service(method: &str, parameters: &Value) -> Option<Result<Request, MethodError>> {
    match method {
        "GetInfo" => Some(Ok(Request::GetInfo)),
        "GetInterfaceDescription" => Some(match parameters.get("interface").and_then(Value::as_str) {
            Some(interface) => Ok(Request::GetInterfaceDescription {
                interface: interface.to_owned(),
            }),
            None => Err(MethodError::InvalidParameter {
                parameter: "interface".to_owned(),
            }),
        }),
        _ => None,
    }
}

/// The parameter that a decoder's message names in backquotes; the whole message where it names none.
pub(crate) fn parameter_of(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split('`').nth(1).map_or(text.clone(), str::to_owned)
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

    #[test]
    fn every_method_is_decoded_from_what_a_client_sends() {
        let requests = [
            Request::Ping {},
            Request::Describe {},
            Request::ListUnits {
                patterns: vec!["*.socket".to_owned()],
                all: true,
            },
            Request::GetUnit {
                name: "a.service".to_owned(),
            },
            Request::ListFds {
                name: "a.service".to_owned(),
            },
            Request::Enqueue(EnqueueRequest {
                name: "a.service".to_owned(),
                job: "start".to_owned(),
                mode: "fail".to_owned(),
                wait: false,
            }),
            Request::Explain(ExplainRequest {
                name: "a.service".to_owned(),
                job: "stop".to_owned(),
                mode: "lenient".to_owned(),
            }),
            Request::ListJobs {},
            Request::CancelJob { id: 7 },
            Request::ResetFailed { name: None },
            Request::Logs(LogsRequest {
                name: "a.service".to_owned(),
                lines: 3,
                follow: true,
            }),
            Request::Reload {},
            Request::Reexecute { check: true },
            Request::SoftReboot {
                wait: true,
                check: false,
                root: Some("/srv/next".to_owned()),
            },
            Request::PowerOff { force: true },
            Request::Reboot { force: false },
            Request::Halt { force: false },
            Request::Kexec { force: true },
            Request::IsSystemRunning { wait: true },
            Request::GetProperties { name: None },
            Request::ListDependencies {
                relations: vec!["After".to_owned()],
            },
            Request::Timeline {},
            Request::Greyout { last: Some(2) },
            Request::Snapshot {},
            Request::Kill(KillRequest {
                name: "a.service".to_owned(),
                whom: "main".to_owned(),
                signal: 10,
            }),
            Request::Clean {
                name: "a.service".to_owned(),
                what: vec!["fdstore".to_owned()],
            },
            Request::SetEnvironment {
                assignments: vec!["A=1".to_owned()],
            },
            Request::UnsetEnvironment {
                names: vec!["A".to_owned()],
            },
            Request::Exit { code: 7, force: true },
            Request::StartTransient(TransientRequest {
                command: vec!["true".to_owned()],
                ..TransientRequest::default()
            }),
            Request::Subscribe(SubscribeRequest::default()),
        ];
        assert_eq!(requests.len(), METHODS.len());
        for request in requests {
            let (method, parameters) = request.to_call();
            assert_eq!(Request::parse(&call(&method, parameters)), Ok(request));
        }
    }

    #[test]
    fn defaults_are_those_of_the_description() {
        let parsed = Request::parse(&call(
            "io.softboot.Manager.Enqueue",
            json!({"name": "a", "job": "start"}),
        ));
        let Ok(Request::Enqueue(enqueue)) = parsed else {
            panic!("{parsed:?}")
        };
        assert_eq!((enqueue.mode.as_str(), enqueue.wait), ("replace", true));
        assert_eq!(
            Request::parse(&call("io.softboot.Manager.Ping", Value::Null)),
            Ok(Request::Ping {})
        );
        assert!(Request::parse(&call("io.softboot.Manager.Ping", json!({"newer": 1}))).is_ok());
    }

    #[test]
    fn an_unknown_method_and_a_wrong_parameter_are_told_apart() {
        let unknown = Request::parse(&call("io.softboot.Manager.Fly", json!({})));
        assert_eq!(
            unknown,
            Err(MethodError::MethodNotFound {
                method: "io.softboot.Manager.Fly".to_owned()
            })
        );
        let missing = Request::parse(&call("io.softboot.Manager.GetUnit", json!({})));
        assert_eq!(
            missing,
            Err(MethodError::InvalidParameter {
                parameter: "name".to_owned()
            })
        );
        assert!(Request::parse(&call("nonsense", json!({}))).is_err());
        assert!(Request::parse(&call("io.softboot.Manager.Ping", json!([1]))).is_err());
    }
}
