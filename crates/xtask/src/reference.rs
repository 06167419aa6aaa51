//! Where the roots with the newest systemd come from.

use std::path::Path;

use softboot_initrd::packages::Trust;
use softboot_initrd::reference::{Form, ReferenceRoot, Request};
use softboot_tests::suite::Reference;

use crate::exit::Failure;
use crate::places::Places;
use crate::progress::Reporter;

/// The suite that is asked for unless another is named: the distribution's next release, which has a systemd that is
/// new enough and signatures that the present release knows.
pub(crate) const SUITE: &str = "forky";

/// The suite, with its roots in the package cache.
pub(crate) fn request(places: &Places, suite: &str, trust: Trust) -> Request {
    Request {
        cache: places.packages(),
        suite: suite.to_owned(),
        trust,
    }
}

/// systemd's own client with all it needs to run, for the scenarios.
pub(crate) fn varlinkctl(places: &Places) -> Result<Reference, String> {
    match stripped(places) {
        Ok(root) => {
            let tool = root.tool("/usr/bin/varlinkctl");
            Ok(Reference::Files(tool.map_err(|error| error.to_string())?.files()))
        }
        Err(error) if error.is_unreachable() => Ok(Reference::Unreachable(error.to_string())),
        Err(error) => Err(error.to_string()),
    }
}

/// Why something did not come to a good end.
pub(crate) enum Reason {
    /// It cannot be had here.
    Skipped(String),
    /// It does not hold.
    Failed(String),
}

/// Boots the reference, and an image of ours beside it; both are looked at from outside. The outer error is the host's.
pub(crate) fn check(
    places: &Places,
    unpack: &dyn Fn(&Path) -> Result<(), String>,
) -> Result<Result<String, Reason>, Failure> {
    let scratch = places.vm("containers");
    let directory =
        tempfile::tempdir_in(&scratch).map_err(|error| Failure::host("making a directory", error))?;
    let harness = places.guest_programs().join("softboot-container");
    let ours = directory.path().join("ours");
    std::fs::create_dir(&ours).map_err(|error| Failure::host("making a directory", error))?;
    unpack(&ours).map_err(Failure::Host)?;
    if let Err(error) = softboot_tests::reference::check_outside(&harness, &ours) {
        return Ok(Err(Reason::Failed(error.to_string())));
    }
    let root = match stripped(places) {
        Ok(root) => root,
        Err(error) if error.is_unreachable() => return Ok(Err(Reason::Skipped(error.to_string()))),
        Err(error) => return Ok(Err(Reason::Failed(error.to_string()))),
    };
    let theirs = directory.path().join("theirs");
    root.copy_to(&theirs)?;
    let checked = softboot_tests::reference::check(&harness, &theirs);
    Ok(checked.map_err(|error| Reason::Failed(error.to_string())))
}

fn stripped(places: &Places) -> Result<ReferenceRoot, softboot_initrd::reference::Error> {
    let request = request(places, SUITE, Trust::Signed);
    ReferenceRoot::build(&request, Form::Stripped, &mut Reporter::new())
}
