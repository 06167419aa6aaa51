//! Errors as they go over the wire.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "error", content = "parameters")]
pub enum ApiError {
    /// No rule allows it.
    #[error("{message}")]
    #[serde(rename = "io.softboot.FdStore.AccessDenied")]
    AccessDenied {
        /// Who may not do what.
        message: String,
    },
    /// Nothing has this name or id.
    #[error("there is no entry {name}")]
    #[serde(rename = "io.softboot.FdStore.NoSuchEntry")]
    NoSuchEntry {
        /// The name, or the id.
        name: String,
    },
    /// A limit is reached.
    #[error("{message}")]
    #[serde(rename = "io.softboot.FdStore.QuotaExceeded")]
    QuotaExceeded {
        /// Which one.
        message: String,
    },
    /// Something is wrong with a descriptor.
    #[error("{message}")]
    #[serde(rename = "io.softboot.FdStore.BadDescriptor")]
    BadDescriptor {
        /// What.
        message: String,
    },
    /// The program was not replaced.
    #[error("{message}")]
    #[serde(rename = "io.softboot.FdStore.UpgradeFailed")]
    UpgradeFailed {
        /// Why.
        message: String,
    },
    /// A parameter is missing or wrong.
    #[error("invalid parameter: {message}")]
    #[serde(rename = "org.varlink.service.InvalidParameter")]
    InvalidParameter {
        /// Which one.
        parameter: String,
        /// Why.
        #[serde(default)]
        message: String,
    },
    /// There is no such method.
    #[error("there is no method {method}")]
    #[serde(rename = "org.varlink.service.MethodNotFound")]
    MethodNotFound {
        /// The method.
        method: String,
    },
    /// There is no such interface.
    #[error("there is no interface {interface}")]
    #[serde(rename = "org.varlink.service.InterfaceNotFound")]
    InterfaceNotFound {
        /// The interface.
        interface: String,
    },
    /// The method answers more than once.
    #[error("this method must be called with \"more\"")]
    #[serde(rename = "org.varlink.service.ExpectedMore")]
    ExpectedMore {},
}

impl ApiError {
    /// A wrong parameter.
    pub fn parameter(parameter: &str, message: impl Into<String>) -> ApiError {
        ApiError::InvalidParameter {
            parameter: parameter.to_owned(),
            message: message.into(),
        }
    }

    /// The error's name and its parameters.
    pub fn to_wire(&self) -> (String, Value) {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let name = value.get("error").and_then(Value::as_str).unwrap_or_default();
        (
            name.to_owned(),
            value.get_mut("parameters").map(Value::take).unwrap_or_default(),
        )
    }

    /// What a server said; `None` when it is none of these.
    pub fn from_wire(name: &str, parameters: &Value) -> Option<ApiError> {
        serde_json::from_value(serde_json::json!({ "error": name, "parameters": parameters })).ok()
    }
}
