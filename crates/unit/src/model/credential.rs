//! Credentials of a unit's processes.

use serde::{Deserialize, Serialize};

/// `LoadCredential=` or `SetCredential=`: one file in the credentials directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// Its file name.
    pub id: String,
    /// Where its contents come from.
    pub source: CredentialSource,
}

/// Where a credential comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "kind", content = "value")]
pub enum CredentialSource {
    /// An absolute path: a file, a directory of files, or a listening AF_UNIX socket that answers with the contents.
    Path(String),
    /// A credential of this name that the manager was given.
    Manager(String),
    /// The contents themselves.
    Text(String),
}

/// `ImportCredential=`: credentials of the manager whose names match.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialImport {
    /// A glob.
    pub pattern: String,
    /// What the part before the glob is replaced with.
    #[serde(default, skip_serializing_if = "super::sparse::is_default")]
    pub rename: Option<String>,
}
