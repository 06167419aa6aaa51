//! What was fetched before: `packages.json` in the cache, a map from what was asked for to what it came to.

use super::{Error, PackageRoot};
use std::collections::BTreeMap;
use std::path::Path;

const FILE: &str = "packages.json";

type Stamps = BTreeMap<String, Vec<PackageRoot>>;

/// What `key` came to, if all of it is still there. Paths in the file are below the cache, so that it may be moved.
pub(super) fn read(cache: &Path, key: &str) -> Option<Vec<PackageRoot>> {
    let mut roots = load(cache).remove(key)?;
    for root in &mut roots {
        root.path = cache.join(&root.path);
    }
    roots.iter().all(|root| root.path.is_dir()).then_some(roots)
}

/// Writes down what `key` came to.
pub(super) fn write(cache: &Path, key: &str, roots: &[PackageRoot]) -> Result<(), Error> {
    let mut stamps = load(cache);
    let mut roots = roots.to_vec();
    for root in &mut roots {
        if let Ok(inner) = root.path.strip_prefix(cache) {
            root.path = inner.to_path_buf();
        }
    }
    stamps.insert(key.into(), roots);
    let path = cache.join(FILE);
    let fail = |source| Error::Cache {
        path: path.clone(),
        source,
    };
    let text = serde_json::to_vec_pretty(&stamps).map_err(|error| fail(error.into()))?;
    // Whole or not at all: another run may read it meanwhile.
    let file = tempfile::NamedTempFile::new_in(cache).map_err(fail)?;
    std::fs::write(file.path(), text).map_err(fail)?;
    file.persist(&path).map_err(|error| fail(error.error))?;
    Ok(())
}

/// A file that is not there or not readable only costs a fetch.
fn load(cache: &Path) -> Stamps {
    std::fs::read(cache.join(FILE))
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
        .unwrap_or_default()
}
