//! What comes from the distribution's packages: the shell, and lighttpd.

use super::{Error, add_elf};
use crate::elf::Roots;
use crate::image::{Image, Kind};
use crate::packages::PackageRoot;
use crate::rooted;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const APPLETS: &str = include_str!("applets.txt");
const PLUGINS: &str = "/usr/lib/lighttpd";
/// What lighttpd loads without being told, if its configuration does not list them (its documentation of
/// `server.modules`).
const DEFAULT_PLUGINS: [&str; 3] = ["mod_indexfile", "mod_dirlisting", "mod_staticfile"];

/// The file at this path of the guest in one of the packages.
fn packaged(packages: &[PackageRoot], paths: &[&str], wanted_by: &str) -> Result<(PathBuf, String), Error> {
    for package in packages {
        for path in paths {
            if let Some(file) = rooted::resolve(&package.path, Path::new(path)).filter(|file| file.is_file())
            {
                return Ok((file, format!("package {} {}", package.name, package.version)));
            }
        }
    }
    Err(Error::NotPackaged {
        path: paths.join(" or "),
        wanted_by: wanted_by.into(),
        packages: packages
            .iter()
            .map(|package| format!("{} {}", package.name, package.version))
            .collect(),
    })
}

/// The shell and the common commands, where no program of ours has the name.
pub(super) fn busybox(image: &mut Image, packages: &[PackageRoot], roots: &Roots) -> Result<(), Error> {
    let (file, package) = packaged(packages, &["/usr/bin/busybox", "/bin/busybox"], "the shell")?;
    add_elf(image, roots, &file, "/usr/bin/busybox", &package)?;
    for applet in APPLETS
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let path = format!("/usr/bin/{applet}");
        if image.get(&path).is_none() {
            image.add_symlink(&path, "busybox", "command of busybox")?;
        }
    }
    if image.get("/usr/sbin/nologin").is_none() {
        image.add_symlink(
            "/usr/sbin/nologin",
            "../bin/busybox",
            "shell of users who must not log in",
        )?;
    }
    Ok(())
}

/// The server, and the plugins that its configuration names.
pub(super) fn lighttpd(image: &mut Image, packages: &[PackageRoot], roots: &Roots) -> Result<(), Error> {
    let (file, package) = packaged(packages, &["/usr/sbin/lighttpd"], "lighttpd.service")?;
    add_elf(image, roots, &file, "/usr/sbin/lighttpd", &package)?;
    let program = std::fs::read(&file).map_err(|source| Error::Given {
        path: file.clone(),
        what: "lighttpd program",
        source,
    })?;
    for (plugin, wanted_by) in plugins(image) {
        let path = format!("{PLUGINS}/{plugin}.so");
        match packaged(packages, &[&path], &wanted_by) {
            Ok((file, package)) => {
                add_elf(image, roots, &file, &path, &format!("{wanted_by} ({package})"))?;
            }
            // Some are part of the program; it then has their entry point by name.
            Err(missing) if !contains(&program, format!("{plugin}_plugin_init").as_bytes()) => {
                return Err(missing);
            }
            Err(_) => {}
        }
    }
    if image.get("/var/www").is_none() {
        image.add_dir("/var/www", 0o755, "lighttpd.service")?;
    }
    Ok(())
}

/// The plugins named in `/etc/lighttpd` of the image, and the default ones; each with who wants it.
fn plugins(image: &Image) -> BTreeSet<(String, String)> {
    let mut plugins: BTreeSet<(String, String)> = DEFAULT_PLUGINS
        .iter()
        .map(|&name| (name.to_owned(), "lighttpd's defaults".to_owned()))
        .collect();
    for entry in image.entries() {
        let Kind::File(data) = &entry.kind else { continue };
        if !entry.path.starts_with("etc/lighttpd/") {
            continue;
        }
        for line in String::from_utf8_lossy(data).lines() {
            let code = line.split('#').next().unwrap_or_default();
            for word in code.split('"').filter(|word| word.starts_with("mod_")) {
                if !plugins.iter().any(|(name, _)| name == word) {
                    plugins.insert((word.to_owned(), format!("/{}", entry.path)));
                }
            }
        }
    }
    plugins
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}
