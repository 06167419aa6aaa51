//! The second view: a probe on the host, outside of the system.
//!
//! | endpoint | in a container | in a test machine |
//! |---|---|---|
//! | IP:PORT | in its network namespace | a forwarded TCP port of 127.0.0.1 |
//! | /PATH | through `/proc/PID/root` | cannot be seen |

use std::fs::File;
use std::io::BufWriter;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use softboot_greyout::Recording;
use softboot_greyout::endpoint::{Endpoint, Peer};
use softboot_greyout::probe::{self, send_mark};
use softboot_greyout::workload::{View, Workload};

use super::place::Place;
use crate::error::{Context as _, Error};

/// A probe at work.
pub(super) struct Probe {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<(), String>>,
    directory: tempfile::TempDir,
}

impl Probe {
    /// Starts it, if the workload has endpoints for it.
    pub(super) fn start(workload: &Workload, place: &Place) -> Result<Option<Probe>, Error> {
        let mut probes = workload.seen_from(View::Host);
        if probes.is_empty() {
            return Ok(None);
        }
        for probe in &mut probes {
            probe.endpoint = seen(&probe.endpoint, place)?;
        }
        let directory = tempfile::tempdir().context("making a directory for the probe on the host")?;
        let plan = probe::Plan {
            probes,
            command: std::env::args().collect(),
            marks: Some(directory.path().join("marks")),
            ..probe::Plan::default()
        };
        let network = place.network()?;
        let record =
            File::create_new(directory.path().join("record")).context("making the probe's record")?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            if let Some(network) = network {
                // Of this thread, and of those that it starts.
                use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
                let kind = Some(LinkNameSpaceType::Network);
                move_into_link_name_space(std::os::fd::AsFd::as_fd(&network), kind)
                    .map_err(|error| format!("entering the container's network: {error}"))?;
            }
            let run = probe::run(&plan, BufWriter::new(record), &flag, |_| {});
            run.map(drop).map_err(|error| error.to_string())
        });
        let probe = Probe {
            stop,
            thread,
            directory,
        };
        probe.wait_until_it_listens()?;
        Ok(Some(probe))
    }

    fn wait_until_it_listens(&self) -> Result<(), Error> {
        while !self.marks().exists() {
            if self.thread.is_finished() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        Ok(())
    }

    fn marks(&self) -> PathBuf {
        self.directory.path().join("marks")
    }

    pub(super) fn mark(&self, text: &str) -> Result<(), Error> {
        send_mark(&self.marks(), text).context("marking the record on the host")
    }

    /// Ends it; its record.
    pub(super) fn stop(self) -> Result<Recording, Error> {
        self.stop.store(true, Ordering::Relaxed);
        let what = "the probe on the host";
        let ended = self
            .thread
            .join()
            .unwrap_or_else(|_| Err("it panicked".to_owned()));
        ended.context(what)?;
        Recording::load(&self.directory.path().join("record")).context(what)
    }
}

/// The same endpoint as it is seen from here.
fn seen(endpoint: &Endpoint, place: &Place) -> Result<Endpoint, Error> {
    let peer = |peer: &Peer| match peer {
        Peer::Tcp(address) => Ok(Peer::Tcp(place.address(*address)?)),
        Peer::Unix(path) => Ok(Peer::Unix(place.node(path)?)),
    };
    Ok(match endpoint {
        Endpoint::Echo(address) => Endpoint::Echo(place.address(*address)?),
        Endpoint::Http { address, path } => Endpoint::Http {
            address: place.address(*address)?,
            path: path.clone(),
        },
        Endpoint::Udp(address) => Endpoint::Udp(place.datagrams(*address)?),
        Endpoint::UnixEcho(path) => Endpoint::UnixEcho(place.node(path)?),
        Endpoint::Varlink(path) => Endpoint::Varlink(place.node(path)?),
        Endpoint::Held(held) => Endpoint::Held(peer(held)?),
        Endpoint::Activation(other) => Endpoint::Activation(peer(other)?),
    })
}

/// The TCP ports of a machine that are probed from the host.
pub(super) fn ports(workload: &Workload) -> Vec<u16> {
    let mut ports: Vec<u16> = workload
        .seen_from(View::Host)
        .into_iter()
        .filter_map(|probe| match probe.endpoint {
            Endpoint::Echo(address) | Endpoint::Http { address, .. } => Some(address.port()),
            Endpoint::Held(Peer::Tcp(address)) | Endpoint::Activation(Peer::Tcp(address)) => {
                Some(address.port())
            }
            _ => None,
        })
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}
