//! What is stored.

use std::fmt;
use std::os::fd::OwnedFd;

use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::error::{Context as _, Error};

/// Kinds of descriptors that differ in how they are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A unix stream socket: has a cookie.
    Socket,
    /// A memfd: has an inode of its own.
    Memfd,
    /// An eventfd: shares its inode with all others.
    Eventfd,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Socket => "socket",
            Kind::Memfd => "memfd",
            Kind::Eventfd => "eventfd",
        })
    }
}

impl Kind {
    /// Makes one, closed on exec.
    pub fn make(self) -> Result<OwnedFd, Error> {
        match self {
            Kind::Socket => socket_with(
                AddressFamily::UNIX,
                SocketType::STREAM,
                SocketFlags::CLOEXEC,
                None,
            ),
            Kind::Memfd => memfd_create("bench", MemfdFlags::CLOEXEC),
            Kind::Eventfd => eventfd(0, EventfdFlags::CLOEXEC),
        }
        .context("making a descriptor")
    }

    /// Makes many.
    pub fn make_many(self, size: usize) -> Result<Vec<OwnedFd>, Error> {
        (0..size).map(|_| self.make()).collect()
    }
}
