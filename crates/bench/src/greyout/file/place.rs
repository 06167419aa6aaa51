//! Where a system runs: a container on this kernel, or a test machine.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use softboot_greyout::workload::Workload;
use softboot_qemu::run::Vm;
use softboot_tests::container::Running;

use super::install::Files;
use super::machine::{Forwarded, VmParts};
use super::{Plan, shown};
use crate::error::{Context as _, Error};
use crate::greyout::{Peer, cycle, root};

/// How long a command in a machine may take. Emulated, it is slow.
const LIMIT: Duration = Duration::from_secs(300);

/// A system that runs.
pub(super) enum Place {
    Container {
        container: Box<Running>,
        // Last: what it runs in goes after it.
        _root: tempfile::TempDir,
    },
    Machine {
        vm: Box<Vm>,
        ports: Vec<Forwarded>,
        _image: tempfile::TempDir,
    },
}

impl Place {
    /// Boots a root with the files in it.
    pub(super) fn container(plan: &Plan, peer: Option<&Peer>, files: &Files) -> Result<Place, Error> {
        let what = "making a container";
        let directory = tempfile::tempdir_in(&plan.scratch).context(what)?;
        let root = directory.path().join("root");
        match peer {
            None => root::softboot(&root, &plan.programs)?,
            Some(peer) => root::copy(&peer.root, &root)?,
        }
        files.write_below(&root)?;
        let harness = plan.programs.join("softboot-container");
        let mut container = Box::new(Running::start(&harness, &root, |_| Ok(())).context(what)?);
        container.wait_up(0, cycle::PATIENCE).context(what)?;
        Ok(Place::Container {
            container,
            _root: directory,
        })
    }

    /// Boots a machine with the files in its initrd.
    pub(super) fn machine(
        parts: &VmParts,
        plan: &Plan,
        workload: &Workload,
        peer: Option<&Peer>,
        files: &Files,
    ) -> Result<Place, Error> {
        let image = tempfile::tempdir_in(&plan.scratch).context("making a directory for an initrd")?;
        let ports = Forwarded::choose(&super::host::ports(workload))?;
        let machine = parts.machine(image.path(), peer, files, &ports)?;
        let what = "booting a machine";
        let vm = Box::new(Vm::boot(&machine).context(what)?);
        vm.wait_ready(LIMIT).context(what)?;
        Ok(Place::Machine {
            vm,
            ports,
            _image: image,
        })
    }

    /// Runs a command inside that has to succeed; what it said.
    pub(super) fn run(&self, command: &[&str]) -> Result<String, Error> {
        self.output(command).map(text)
    }

    /// What a command said, whatever came of it.
    pub(super) fn said(&self, command: &[&str]) -> String {
        let ran = self.exec(command);
        ran.map_or_else(
            |error| error.reason,
            |(_, stdout, stderr)| text(stdout) + &text(stderr),
        )
    }

    fn output(&self, command: &[&str]) -> Result<Vec<u8>, Error> {
        match self.exec(command)? {
            (true, stdout, _) => Ok(stdout),
            (false, _, stderr) => Err(Error {
                what: command.join(" "),
                reason: text(stderr),
            }),
        }
    }

    /// Whether it succeeded, and what it wrote to its two outputs.
    fn exec(&self, command: &[&str]) -> Result<(bool, Vec<u8>, Vec<u8>), Error> {
        let what = command.join(" ");
        match self {
            Place::Container { container, .. } => {
                let ran = container.exec(command, cycle::PATIENCE).context(&what)?;
                Ok((ran.status.success(), ran.stdout, ran.stderr))
            }
            Place::Machine { vm, .. } => {
                let ran = vm.run(command, LIMIT).context(&what)?;
                Ok((ran.status.is_success(), ran.stdout, ran.stderr))
            }
        }
    }

    /// A file inside.
    pub(super) fn read(&self, path: &str) -> Result<Vec<u8>, Error> {
        match self {
            Place::Container { container, .. } => {
                let path = container.path(path);
                std::fs::read(&path).context(&format!("reading {}", shown(&path)))
            }
            Place::Machine { .. } => self.output(&["/bin/busybox", "cat", path]),
        }
    }

    /// Room for the next one; that it is still there does no harm.
    pub(super) fn remove(&self, path: &str) {
        match self {
            Place::Container { container, .. } => drop(std::fs::remove_file(container.path(path))),
            Place::Machine { .. } => drop(self.output(&["/bin/busybox", "rm", "-f", path])),
        }
    }

    /// The manager's version.
    pub(super) fn version(&self) -> Result<String, Error> {
        match self {
            Place::Container { container, .. } => {
                let state = container.state().context("asking the manager for its version")?;
                Ok(state.version)
            }
            // What is there beside softbootd has its version in its name.
            Place::Machine { .. } => {
                let said = self.run(&["softctl", "--version"]).unwrap_or_default();
                Ok(said.split_whitespace().last().unwrap_or_default().to_owned())
            }
        }
    }

    /// Waits until the boot after so many soft-reboots is over.
    pub(super) fn wait_up(&mut self, reboots: u64) -> Result<(), Error> {
        let what = "coming back";
        match self {
            Place::Container { container, .. } => container
                .wait_up(reboots, cycle::PATIENCE)
                .context(what)
                .map(drop),
            Place::Machine { vm, .. } => {
                let boots = u32::try_from(reboots.saturating_add(1)).unwrap_or(u32::MAX);
                vm.wait_ready_count(boots, LIMIT).context(what)
            }
        }
    }

    /// The network that a probe outside has to be in.
    pub(super) fn network(&self) -> Result<Option<File>, Error> {
        match self {
            Place::Container { container, .. } => {
                let path = format!("/proc/{}/ns/net", container.init());
                File::open(&path).map(Some).context(&format!("opening {path}"))
            }
            Place::Machine { .. } => Ok(None),
        }
    }

    /// Where a TCP port is from outside.
    pub(super) fn address(&self, address: SocketAddr) -> Result<SocketAddr, Error> {
        match self {
            Place::Container { .. } => Ok(address),
            Place::Machine { ports, .. } => ports
                .iter()
                .find(|port| port.guest == address.port())
                .map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port.host)))
                .context("a port that is not forwarded"),
        }
    }

    /// Where a UDP port is from outside.
    pub(super) fn datagrams(&self, address: SocketAddr) -> Result<SocketAddr, Error> {
        match self {
            Place::Container { .. } => Ok(address),
            Place::Machine { .. } => Err(unseen("a UDP port")),
        }
    }

    /// Where a node is from outside.
    pub(super) fn node(&self, path: &Path) -> Result<PathBuf, Error> {
        match self {
            Place::Container { container, .. } => Ok(container.path(&shown(path))),
            Place::Machine { .. } => Err(unseen("a socket with a path")),
        }
    }

    /// Takes it away again.
    pub(super) fn end(self) -> Result<(), Error> {
        match self {
            Place::Container { container, .. } => container.remove().context("removing a container"),
            // Its end is that of QEMU.
            Place::Machine { vm, .. } => {
                drop(vm);
                Ok(())
            }
        }
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}

fn unseen(what: &str) -> Error {
    Error {
        what: "a probe with view = \"host\"".to_owned(),
        reason: format!(
            "{what} of a machine cannot be seen from outside; probe a TCP port, or as a survivor"
        ),
    }
}
