//! A soft-reboot into another root (semantics 7.6, 7.7).
//!
//! | step | who | what a failure means |
//! |---|---|---|
//! | rehearse | a child, in a mount table of its own ([`rehearse`]) | the handoff is refused, nothing has changed |
//! | hold | PID 1: the next root, mounted and attached nowhere, and its program ([`change`]) | – |
//! | switch | a child, in PID 1's mount table, when everything has stopped ([`switch`]) | the soft-reboot goes on in the old root |
//! | exec | PID 1, of the program that was rehearsed | this program goes on, in the next root |
//!
//! The next root is named by /run/nextroot or by whoever asks for the soft-reboot: a directory, a mount, a disk image
//! ([`image`]), or a link to one of them. What has to be in it is in [`inside`], how it becomes the root in [`enter`],
//! what goes along into it in [`carry`], and what keeps the old one in memory in [`pins`].

mod carry;
mod change;
mod enter;
mod image;
mod inside;
mod pins;
mod rehearse;
mod switch;
mod talk;

pub(crate) use change::{RootChange, RootWish, open_own_program};
pub(crate) use rehearse::rehearse_main;
pub(crate) use switch::switch_main;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use softboot_control::api::RootPin;

use pins::Survivor;

/// Where the next root is looked for when nobody names one.
const NEXTROOT: &str = "/run/nextroot";
/// Where the next root is attached while it is furnished.
const PLACE: &str = "/run/softboot/next-root";
/// The variable that names a helper's socket.
const NEXT_ROOT_FD: &str = "SOFTBOOT_NEXT_ROOT_FD";
/// The store's name of the socket to the helper that holds the old root.
pub(crate) const OLD_ROOT: &str = "old-root";

/// A mount that goes along.
struct Transfer {
    /// Below the root.
    name: &'static str,
    /// With what is mounted below it.
    below: bool,
    /// Even where the next root has a mount of its own there.
    always: bool,
}

/// Semantics 7.6. /run always goes along: the sockets of PID 1 and of every survivor are in it.
const TRANSFERRED: &[Transfer] = &[
    Transfer {
        name: "dev",
        below: true,
        always: false,
    },
    Transfer {
        name: "sys",
        below: true,
        always: false,
    },
    Transfer {
        name: "proc",
        below: true,
        always: false,
    },
    Transfer {
        name: "run",
        below: false,
        always: true,
    },
];

/// What the rehearsing helper is asked.
#[derive(Debug, Serialize, Deserialize)]
struct Question {
    /// Where the next root is.
    path: PathBuf,
    /// Where the running program is installed.
    program: PathBuf,
    /// Mount points below /run that units have.
    wanted: Vec<PathBuf>,
    survivors: Vec<Survivor>,
}

/// What it found, with the next root and its program beside it when the root changes.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Report {
    /// False: the next root is the one we have.
    changes: bool,
    /// `directory`, `mount`, `squashfs image`, …
    source: String,
    /// The name of its operating system.
    os: String,
    /// Where its softbootd is.
    program: PathBuf,
    pins: Vec<RootPin>,
}

/// What the switching helper is told, with the next root beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    /// Where the next root was found.
    path: PathBuf,
    wanted: Vec<PathBuf>,
}

/// How it went.
#[derive(Debug, Serialize, Deserialize)]
enum Outcome {
    Done(enter::Way),
    Failed(String),
}
