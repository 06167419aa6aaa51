//! Builds the initrd: what goes in is written down as an [`image::Image`], each entry with the reason it is
//! there, and comes out as a cpio archive ([`image::Image::write_cpio`]), compressed for the kernel
//! ([`compress`]), or as a directory for a container ([`image::Image::unpack`]).
//!
//! | module | is |
//! |---|---|
//! | [`cpio`] | the archive format the kernel unpacks, written and read |
//! | [`image`] | the tree, with reasons and conflicts |
//! | [`elf`] | which libraries a program needs, read from the file |
//! | [`modules`] | which kernel modules a module needs, in load order |
//! | [`packages`] | the distribution's packages, fetched and unpacked below a cache |
//! | [`compress`] | the compressions a kernel can read |
//! | [`mod@bench`] | which of them boots fastest |
//! | [`demo`] | the demo image |
//! | [`mod@reference`] | a root with the newest systemd, to measure and test against |
//!
//! The crate never prints. Long work reports through [`progress::Progress`].

pub mod bench;
pub mod compress;
pub mod cpio;
pub mod demo;
pub mod elf;
pub mod image;
pub mod modules;
pub mod packages;
pub mod progress;
pub mod reference;
mod rooted;
