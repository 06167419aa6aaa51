//! The errors.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::INTERFACE;

/// A call that is none of ours (interface `org.varlink.service`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(untagged)]
pub enum MethodError {
    /// There is no such method.
    #[error("there is no method {method}")]
    MethodNotFound {
        /// The method.
        method: String,
    },
    /// A parameter is missing or of another type.
    #[error("parameter {parameter} is missing or of a wrong type")]
    InvalidParameter {
        /// Its name.
        parameter: String,
    },
    /// There is no such interface.
    #[error("there is no interface {interface}")]
    InterfaceNotFound {
        /// Its name.
        interface: String,
    },
    /// The method has many replies, and the call does not take them.
    #[error("this method has many replies; call it with more")]
    ExpectedMore {},
    /// Only root may make this call.
    #[error("only root may do that")]
    PermissionDenied {},
}

impl MethodError {
    /// The error's name on the wire.
    pub fn name(&self) -> &'static str {
        match self {
            MethodError::MethodNotFound { .. } => "org.varlink.service.MethodNotFound",
            MethodError::InvalidParameter { .. } => "org.varlink.service.InvalidParameter",
            MethodError::ExpectedMore {} => "org.varlink.service.ExpectedMore",
            MethodError::PermissionDenied {} => "org.varlink.service.PermissionDenied",
            MethodError::InterfaceNotFound { .. } => "org.varlink.service.InterfaceNotFound",
        }
    }

    /// The error's parameters on the wire.
    pub fn parameters(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

/// A refusal of the manager. `message` is for people; the name and the other fields are for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "parameters")]
#[expect(
    missing_docs,
    reason = "semantics 8.3 lists them; the message explains each case"
)]
pub enum ApiError {
    #[error("{message}")]
    NoSuchUnit {
        name: String,
        suggestions: Vec<String>,
        message: String,
    },
    #[error("{message}")]
    UnitMasked { message: String },
    #[error("{message}")]
    BadUnitSetting { message: String },
    #[error("{message}")]
    LoadFailed { message: String },
    #[error("{message}")]
    JobTypeNotApplicable { message: String },
    #[error("{message}")]
    OnlyByDependency { message: String },
    #[error("{message}")]
    NoIsolation { message: String },
    #[error("{message}")]
    TransactionIsDestructive { message: String },
    #[error("{message}")]
    TransactionJobsAreConflicting { message: String },
    #[error("{message}")]
    TransactionOrderIsCyclic { message: String },
    #[error("{message}")]
    ShuttingDown { message: String },
    #[error("{message}")]
    AccessDenied { message: String },
    #[error("{message}")]
    HandoffRefused { reasons: Vec<String>, message: String },
    #[error("{message}")]
    UnitExists { message: String },
    #[error("{message}")]
    UnitBusy { message: String },
    #[error("{message}")]
    Failed { message: String },
}

impl ApiError {
    /// The error's name on the wire.
    pub fn name(&self) -> String {
        let short = serde_json::to_value(self)
            .ok()
            .and_then(|value| value.get("error").and_then(Value::as_str).map(str::to_owned))
            .unwrap_or_default();
        format!("{INTERFACE}.{short}")
    }

    /// The error's parameters on the wire.
    pub fn parameters(&self) -> Value {
        serde_json::to_value(self)
            .ok()
            .and_then(|value| value.get("parameters").cloned())
            .unwrap_or_default()
    }

    /// The error that a reply carries; one of an unknown name keeps its text.
    pub fn from_wire(name: &str, parameters: &Value) -> ApiError {
        let short = name
            .strip_prefix(INTERFACE)
            .and_then(|rest| rest.strip_prefix('.'))
            .unwrap_or(name);
        serde_json::from_value(serde_json::json!({ "error": short, "parameters": parameters }))
            .unwrap_or_else(|_| {
                let text = parameters.get("message").and_then(Value::as_str);
                ApiError::Failed {
                    message: text.map_or_else(|| format!("{name} {parameters}"), str::to_owned),
                }
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_from_the_wire_as_it_was() {
        let message = "no".to_owned();
        for error in [
            ApiError::NoSuchUnit {
                name: "a".to_owned(),
                suggestions: vec!["b".to_owned()],
                message: message.clone(),
            },
            ApiError::HandoffRefused {
                reasons: vec!["x".to_owned()],
                message: message.clone(),
            },
            ApiError::Failed { message },
        ] {
            assert_eq!(ApiError::from_wire(&error.name(), &error.parameters()), error);
        }
    }

    #[test]
    fn an_unknown_error_still_says_something() {
        let error = ApiError::from_wire("com.example.Odd", &serde_json::json!({"message": "because"}));
        assert_eq!(error.to_string(), "because");
        assert!(
            ApiError::from_wire("com.example.Odd", &Value::Null)
                .to_string()
                .contains("com.example.Odd")
        );
    }
}
