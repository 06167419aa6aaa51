//! Calls as types.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ApiError, INTERFACE, NewEntry, SERVICE};

/// Every method with its parameters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "method",
    content = "parameters",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Request {
    /// Who answers.
    #[serde(rename = "org.varlink.service.GetInfo")]
    GetInfo {},
    /// An interface's description.
    #[serde(rename = "org.varlink.service.GetInterfaceDescription")]
    GetInterfaceDescription {
        /// Its name.
        interface: String,
    },
    /// Store descriptors.
    #[serde(rename = "io.softboot.FdStore.Put")]
    Put {
        /// Which, and how.
        entries: Vec<NewEntry>,
        /// For whom.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
    },
    /// Get duplicates.
    #[serde(rename = "io.softboot.FdStore.Get")]
    Get {
        /// By name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        names: Option<Vec<String>>,
        /// By id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ids: Option<Vec<u64>>,
        /// And take them out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        take: Option<bool>,
        /// Whose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
    },
    /// See what is there.
    #[serde(rename = "io.softboot.FdStore.List")]
    List {
        /// Of these names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patterns: Option<Vec<String>>,
        /// Whose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
        /// Only what is newer than this id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<u64>,
    },
    /// Take entries out.
    #[serde(rename = "io.softboot.FdStore.Remove")]
    Remove {
        /// By name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        names: Option<Vec<String>>,
        /// By id.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ids: Option<Vec<u64>>,
        /// Whose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
    },
    /// Be told what happens.
    #[serde(rename = "io.softboot.FdStore.Watch")]
    Watch {
        /// To these names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        patterns: Option<Vec<String>>,
        /// Whose.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<String>,
    },
    /// Replace the program.
    #[serde(rename = "io.softboot.FdStore.Upgrade")]
    Upgrade {},
}

/// Every method that there is.
pub(super) const METHODS: [&str; 8] = [
    "org.varlink.service.GetInfo",
    "org.varlink.service.GetInterfaceDescription",
    "io.softboot.FdStore.Put",
    "io.softboot.FdStore.Get",
    "io.softboot.FdStore.List",
    "io.softboot.FdStore.Remove",
    "io.softboot.FdStore.Watch",
    "io.softboot.FdStore.Upgrade",
];

impl Request {
    /// Reads a call. An unknown interface, method or parameter is an error each of its own.
    pub fn decode(method: &str, parameters: Value) -> Result<Request, ApiError> {
        if !METHODS.contains(&method) {
            let interface = method.rsplit_once('.').map_or("", |(interface, _)| interface);
            return Err(match interface {
                INTERFACE | SERVICE => ApiError::MethodNotFound {
                    method: method.to_owned(),
                },
                other => ApiError::InterfaceNotFound {
                    interface: other.to_owned(),
                },
            });
        }
        let parameters = match parameters {
            Value::Null => serde_json::json!({}),
            Value::Object(members) => Value::Object(members),
            _ => return Err(ApiError::parameter("", "the parameters are no object")),
        };
        let call = serde_json::json!({ "method": method, "parameters": parameters });
        serde_json::from_value(call).map_err(|error| {
            let message = error.to_string();
            // serde names a field between backticks where it knows one.
            let parameter = message.split('`').nth(1).unwrap_or("").to_owned();
            ApiError::InvalidParameter { parameter, message }
        })
    }

    /// Method and parameters, as a client sends them.
    pub fn to_call(&self) -> (String, Value) {
        let mut value = serde_json::to_value(self).unwrap_or_default();
        let method = value.get("method").and_then(Value::as_str).unwrap_or_default();
        (
            method.to_owned(),
            value.get_mut("parameters").map(Value::take).unwrap_or_default(),
        )
    }
}
