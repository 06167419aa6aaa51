//! Where the roots with the newest systemd come from.

use crate::places::Places;
use softboot_initrd::packages::Trust;
use softboot_initrd::reference::Request;

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
