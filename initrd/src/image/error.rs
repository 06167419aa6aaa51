//! What can go wrong with an image; each message names who wanted the path.

use std::path::PathBuf;

/// What can go wrong with an image.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {}, wanted as {path} by {reason}: {source}", from.display())]
    Read {
        /// The file on the host.
        from: PathBuf,
        /// The path in the image.
        path: String,
        /// Who wanted it.
        reason: String,
        /// The cause.
        source: std::io::Error,
    },
    /// Two want the same path differently.
    #[error(
        "{path} is wanted by {first} ({first_is}) and by {second} ({second_is}), and they differ; leave one of them out"
    )]
    Conflict {
        /// The path in the image.
        path: String,
        /// Who was first.
        first: String,
        /// What was first.
        first_is: String,
        /// Who came second.
        second: String,
        /// What came second.
        second_is: String,
    },
    /// A path that cannot be in an image.
    #[error("{path:?}, wanted by {reason}, is no path of an image: give an absolute one without '..'")]
    BadPath {
        /// The path.
        path: String,
        /// Who wanted it.
        reason: String,
    },
    /// A parent is not a directory.
    #[error(
        "{path}, wanted by {reason}, lies below {parent}, which is no directory (wanted by {parent_reason})"
    )]
    Parent {
        /// The path.
        path: String,
        /// Who wanted it.
        reason: String,
        /// The parent.
        parent: String,
        /// Who wanted the parent.
        parent_reason: String,
    },
    /// A hard link to what is not a file of the image.
    #[error(
        "{path}, wanted by {reason}, is a hard link to {target}, which is no file of the image; add that first"
    )]
    LinkTarget {
        /// The new name.
        path: String,
        /// The missing file.
        target: String,
        /// Who wanted it.
        reason: String,
    },
    /// Owner of something that is not there.
    #[error("cannot set the owner of {path}: it is not in the image")]
    NoEntry {
        /// The path.
        path: String,
    },
    /// The archive could not be written.
    #[error("cannot write {path} to the archive: {source}")]
    Write {
        /// The entry.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The image could not be unpacked.
    #[error("cannot make {} when unpacking the image: {source}", path.display())]
    Unpack {
        /// The path on the host.
        path: PathBuf,
        /// The cause.
        source: std::io::Error,
    },
}
