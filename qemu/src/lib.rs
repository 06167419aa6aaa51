//! Runs the test machine: finds kernel and accelerator, describes the machine to QEMU, runs it, watches it, and
//! talks to the agent in the guest.
//!
//! Start reading at [`machine::Machine`] and [`run::Vm`]:
//!
//! ```no_run
//! use softboot_qemu::{machine::Machine, run::Vm};
//! use std::time::Duration;
//!
//! let machine = Machine::builder("vmlinuz").initrd("initrd.img");
//! let vm = Vm::boot(&machine)?;
//! vm.wait_ready(Duration::from_secs(60))?;
//! let output = vm.run(&["softctl", "status"], Duration::from_secs(10))?;
//! assert!(output.status.is_success());
//! vm.shutdown()?;
//! # Ok::<(), softboot_qemu::error::VmError>(())
//! ```
//!
//! `docs/vm.md` has the reasons behind the machine's form.

pub mod accel;
pub mod channel;
pub mod error;
pub mod fault;
pub mod kernel;
pub mod machine;
pub mod run;
