//! Whole packages of the distribution, as they would be installed: programs with their libraries, unit files,
//! configuration. Maintainer scripts are not run, so users and state directories have to come from elsewhere.

use super::{Error, add_elf};
use crate::elf::Roots;
use crate::image::Image;
use crate::packages::PackageRoot;
use std::collections::BTreeSet;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

/// What is there for people and for other init systems.
const LEFT_OUT: [&str; 10] = [
    "/etc/init.d",
    "/etc/sv",
    "/usr/share/apport",
    "/usr/share/bug",
    "/usr/share/doc",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/locale",
    "/usr/share/man",
    "/usr/share/runit",
];

/// Adds the packages of these names. What is in the image already stays: our files come first.
pub(super) fn install(
    image: &mut Image,
    packages: &[PackageRoot],
    names: &[String],
    roots: &Roots,
) -> Result<(), Error> {
    for name in names.iter().collect::<BTreeSet<_>>() {
        let package = packages
            .iter()
            .find(|package| package.name == *name)
            .ok_or_else(|| Error::NotPackaged {
                path: format!("the package {name}"),
                wanted_by: "whoever asked for it".to_owned(),
                packages: packages.iter().map(|package| package.name.clone()).collect(),
            })?;
        let reason = format!("package {} {}", package.name, package.version);
        add(image, &package.path, "", &reason, roots)?;
    }
    Ok(())
}

fn add(image: &mut Image, dir: &Path, prefix: &str, reason: &str, roots: &Roots) -> Result<(), Error> {
    let fail = |source| Error::Given {
        path: dir.into(),
        what: "directory of a package",
        source,
    };
    for entry in std::fs::read_dir(dir).map_err(fail)? {
        let entry = entry.map_err(fail)?;
        let path = entry.path();
        let guest = format!("{prefix}/{}", entry.file_name().to_string_lossy());
        if LEFT_OUT.contains(&guest.as_str()) {
            continue;
        }
        let meta = entry.metadata().map_err(fail)?;
        let mode = meta.permissions().mode() & 0o7777;
        if meta.is_dir() {
            // A link of the base system stands for the directory of that name.
            if image.get(&guest).is_none() {
                image.add_dir(&guest, mode, reason)?;
            }
            add(image, &path, &guest, reason, roots)?;
        } else if image.get(&guest).is_some() {
            image.note(format!("{guest} of {reason} is left out: the image has its own"));
        } else if meta.is_symlink() {
            let target = std::fs::read_link(&path).map_err(fail)?;
            image.add_symlink(&guest, &target.to_string_lossy(), reason)?;
        } else if !meta.is_file() {
            return Err(Error::Strange { path });
        } else if is_elf(&path) {
            add_elf(image, roots, &path, &guest, reason)?;
        } else {
            image.add_file(&guest, mode, path, reason)?;
        }
    }
    Ok(())
}

fn is_elf(path: &Path) -> bool {
    let mut magic = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic));
    read.is_ok() && magic == *b"\x7fELF"
}
