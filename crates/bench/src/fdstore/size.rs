//! What embedding the store adds to a program's file.

use std::path::Path;

use crate::error::{Context as _, Error};
use crate::record::Record;

/// `directory` has the programs `hello-fdstore` and `hello-plain`, built in the same way.
pub(super) fn measure(directory: &Path) -> Result<Record, Error> {
    let size = |name: &str| {
        let path = directory.join(name);
        let metadata = std::fs::metadata(&path).context(&format!("looking at {}", path.display()))?;
        Ok::<f64, Error>(metadata.len() as f64)
    };
    let (ours, floor) = (size("hello-fdstore")?, size("hello-plain")?);
    Ok(Record::new("size/hello-static", "file", "B", &[ours], &[floor]))
}
