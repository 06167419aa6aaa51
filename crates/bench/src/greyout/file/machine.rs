//! The test machine of a system: the demo image, over it the root that softbootd is compared with, over both the
//! workload. The kernel unpacks one archive after the other (Documentation/driver-api/early-userspace/buffer-format).

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use softboot_initrd::compress::Compression;
use softboot_initrd::image::Image;
use softboot_qemu::machine::{Accel, Machine};

use super::install::Files;
use super::shown;
use crate::error::{Context as _, Error};
use crate::greyout::Peer;

/// What softbootd is compared with has a whole distribution in memory.
const MEMORY_MIB: u32 = 1024;
/// Where the distribution has its manager.
const REFERENCE: &str = "rdinit=/usr/lib/systemd/systemd";

/// What test machines are made of.
#[derive(Clone, Debug)]
pub struct VmParts {
    /// The kernel's image.
    pub kernel: PathBuf,
    /// The demo image.
    pub initrd: PathBuf,
    /// How processors are made.
    pub accel: Accel,
}

/// A port of the machine that is led to one of this host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Forwarded {
    pub(super) guest: u16,
    pub(super) host: u16,
}

impl Forwarded {
    /// Finds free ports. Somebody else may take one before QEMU does; QEMU says so then.
    pub(super) fn choose(guest: &[u16]) -> Result<Vec<Forwarded>, Error> {
        let what = "looking for a free port";
        // All at once, so that none is found twice.
        let held: Vec<(u16, TcpListener)> = guest
            .iter()
            .map(|guest| Ok((*guest, TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(what)?)))
            .collect::<Result<_, Error>>()?;
        held.into_iter()
            .map(|(guest, listener)| {
                let host = listener.local_addr().context(what)?.port();
                Ok(Forwarded { guest, host })
            })
            .collect()
    }
}

impl VmParts {
    /// For a result.
    pub(super) fn accelerator(&self) -> &'static str {
        match self.accel {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg, software emulation",
        }
    }

    /// The machine, with its initrd in `directory`.
    pub(super) fn machine(
        &self,
        directory: &Path,
        peer: Option<&Peer>,
        files: &Files,
        ports: &[Forwarded],
    ) -> Result<Machine, Error> {
        let what = format!("reading {}", shown(&self.initrd));
        let demo = std::fs::read(&self.initrd).context(&what)?;
        let mut archives = Compression::decompress(&demo).context(&what)?;
        if let Some(peer) = peer {
            let what = format!("packing {}", shown(&peer.root));
            let mut image = Image::new();
            image.add_tree(&peer.root, &peer.name).context(&what)?;
            append(&mut archives, &image).context(&what)?;
        }
        let workload = directory.join("workload");
        files.write_below(&workload)?;
        let mut image = Image::new();
        let what = "packing the workload";
        image.add_tree(&workload, "the workload").context(what)?;
        append(&mut archives, &image).context(what)?;
        let initrd = directory.join("initrd");
        // As one: not every decompressor of the kernel goes on after the end of a compressed archive.
        let archives = Compression::DEFAULT.compress(&archives).context(what)?;
        std::fs::write(&initrd, archives).context(&format!("writing {}", shown(&initrd)))?;
        let mut machine = Machine::builder(&self.kernel)
            .initrd(initrd)
            .memory_mb(MEMORY_MIB)
            .accel(self.accel);
        if peer.is_some() {
            machine = machine.append(REFERENCE);
        }
        Ok(ports
            .iter()
            .fold(machine, |machine, port| machine.port(port.host, port.guest)))
    }
}

/// Each archive begins at a multiple of four.
fn append(archives: &mut Vec<u8>, image: &Image) -> Result<(), Error> {
    archives.resize(archives.len().next_multiple_of(4), 0);
    image.write_cpio(archives).context("writing an archive")
}
