//! The calls of `io.softboot.Manager`.
use crate::connection::Call;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// The interface's name.
pub const INTERFACE: &str = "io.softboot.Manager";

/// A call, decoded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", content = "parameters")]
#[expect(
    missing_docs,
    reason = "variants are the interface's methods, fields its parameters"
)]
pub enum Request {
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
    Enqueue {
        name: String,
        job: String,
        #[serde(default = "replace")]
        mode: String,
        #[serde(default = "yes")]
        wait: bool,
    },
    ListJobs {},
    CancelJob {
        id: u32,
    },
    ResetFailed {
        name: Option<String>,
    },
    Logs {
        name: String,
        #[serde(default = "hundred")]
        lines: u32,
        #[serde(default)]
        follow: bool,
    },
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
    IsSystemRunning {
        #[serde(default)]
        wait: bool,
    },
}
fn replace() -> String {
    "replace".into()
}
fn yes() -> bool {
    true
}
fn hundred() -> u32 {
    100
}

impl Request {
    /// Decodes `call`; the error is the decoder's message.
    pub fn parse(call: &Call) -> Result<Self, String> {
        let method = call
            .method
            .strip_prefix(INTERFACE)
            .and_then(|m| m.strip_prefix('.'));
        let parameters = if call.parameters.is_null() {
            json!({})
        } else {
            call.parameters.clone()
        };
        let value: Value = json!({ "method": method, "parameters": parameters });
        serde_json::from_value(value).map_err(|e| format!("decoding {}: {e}", call.method))
    }
    /// Whether only uid 0 may make this call.
    pub fn needs_root(&self) -> bool {
        !matches!(
            self,
            Self::Ping {}
                | Self::Describe {}
                | Self::ListUnits { .. }
                | Self::GetUnit { .. }
                | Self::ListJobs {}
                | Self::IsSystemRunning { .. }
        )
    }
}
