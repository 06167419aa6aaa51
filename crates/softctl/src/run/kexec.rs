//! `softctl kexec`: loads the kernel to go to, if one is named, and asks PID 1 for the rest.
//!
//! The kernel is read and loaded here: PID 1 waits for no disk, and what is wrong with the files is said before it is asked.

use std::ffi::CString;
use std::fs::File;
use std::os::fd::AsFd as _;
use std::path::Path;

use rustix::io::Errno;
use rustix::system::RebootCommand;
use softboot_control::api::{ApiError, Request};

use super::session::Session;
use super::{Output, at_once, handoff};
use crate::cli::Kexec;
use crate::error::Error;
use crate::exit;

const COMMAND_LINE: &str = "/proc/cmdline";

/// Without asking PID 1 for anything.
pub(super) fn at_once(kexec: &Kexec) -> Result<u8, Error> {
    if let Some(kernel) = &kexec.kernel {
        load(kernel, kexec)?;
    }
    at_once::end(RebootCommand::Kexec)
}

pub(super) fn kexec(session: &mut Session, kexec: &Kexec) -> Result<u8, Error> {
    if let Some(kernel) = &kexec.kernel {
        load(kernel, kexec)?;
        if kexec.load_only {
            note_loaded(session.out);
            return Ok(exit::OK);
        }
    }
    let force = kexec.force.force > 0;
    handoff::end(session, "kexec", force, &Request::Kexec { force })
}

fn note_loaded(out: Output) {
    out.note("The kernel is loaded; `softctl kexec` goes to it.");
}

fn load(path: &Path, kexec: &Kexec) -> Result<(), Error> {
    if !is_the_machine() {
        // With the rights to it a container would load it into the kernel of its host.
        let message = "a container has no kernel of its own".to_owned();
        return Err(Error::Refused {
            doing: "kexec".to_owned(),
            error: Box::new(ApiError::Failed { message }),
        });
    }
    let line = match &kexec.cmdline {
        Some(line) => line.clone(),
        None => {
            let text = std::fs::read_to_string(COMMAND_LINE).map_err(|source| Error::Unreadable {
                path: COMMAND_LINE.into(),
                source,
            })?;
            reused(&text)
        }
    };
    let line = CString::new(line)
        .map_err(|_| Error::Usage("a command line cannot have a NUL byte in it".to_owned()))?;
    let kernel = open(path)?;
    let initrd = kexec.initrd.as_deref().map(open).transpose()?;
    let initrd = initrd.as_ref().map(|file| file.as_fd());
    softboot_sys::kexec::load(&kernel, initrd, &line).map_err(|errno| {
        let root = rustix::process::geteuid().is_root();
        Error::Load {
            path: path.to_owned(),
            reason: reason(errno, root, line.as_bytes().len()),
            source: errno.into(),
        }
    })
}

/// Whether this is the first PID namespace: its inode number is fixed (PROC_PID_INIT_INO of the kernel's linux/proc_ns.h). Where
/// nobody can tell, the kernel decides.
fn is_the_machine() -> bool {
    const FIRST: u64 = 0xEFFF_FFFC;
    rustix::fs::stat("/proc/self/ns/pid").map_or(true, |found| found.st_ino == FIRST)
}

fn open(path: &Path) -> Result<File, Error> {
    let failed = |source| Error::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    // The kernel's own word for a directory or a pipe would be that an argument is wrong.
    if !file.metadata().map_err(failed)?.is_file() {
        return Err(failed(std::io::Error::other("not a regular file")));
    }
    Ok(file)
}

/// The running kernel's command line, as the next one is to have it. A boot loader puts the name of the image in front, which
/// the next kernel would repeat, and it would not be true.
fn reused(text: &str) -> String {
    let line = text.trim();
    match line.split_once(' ') {
        Some((first, rest)) if first.starts_with("BOOT_IMAGE=") => rest.trim_start().to_owned(),
        None if line.starts_with("BOOT_IMAGE=") => String::new(),
        _ => line.to_owned(),
    }
}

/// What an error of kexec_file_load(2) means, and what helps.
fn reason(errno: Errno, root: bool, line: usize) -> String {
    match errno {
        Errno::PERM if !root => "only root may do that".to_owned(),
        Errno::PERM => "the kernel does not permit it: it is locked down and the image is not signed \
             (/sys/kernel/security/lockdown), kexec is switched off (kernel.kexec_load_disabled), or CAP_SYS_BOOT is missing"
            .to_owned(),
        Errno::NOSYS | Errno::OPNOTSUPP => {
            "the running kernel cannot load another one (it is built without CONFIG_KEXEC_FILE)".to_owned()
        }
        Errno::NOEXEC => "it is no image of a kernel that the running one can start".to_owned(),
        Errno::KEYREJECTED | Errno::NOKEY | Errno::NODATA | Errno::BADMSG => {
            format!("its signature is missing or not one that the running kernel trusts ({errno})")
        }
        Errno::ADDRNOTAVAIL | Errno::NOMEM => {
            format!("there is no room in memory for it and its initrd ({errno})")
        }
        Errno::BUSY => "another kernel is being loaded just now".to_owned(),
        Errno::INVAL => format!(
            "the kernel finds something wrong with the files or with the command line of {line} bytes \
             (x86 takes fewer than 2048)"
        ),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_image_is_not_used_again() {
        assert_eq!(
            reused("BOOT_IMAGE=/vmlinuz-6.1 root=/dev/vda1 quiet\n"),
            "root=/dev/vda1 quiet"
        );
        assert_eq!(reused("BOOT_IMAGE=/vmlinuz\n"), "");
        assert_eq!(
            reused("console=ttyS0 \"a=b c\" x=BOOT_IMAGE=1\n"),
            "console=ttyS0 \"a=b c\" x=BOOT_IMAGE=1"
        );
    }

    #[test]
    fn each_error_says_what_helps() {
        let said = |errno| reason(errno, true, 3000);
        assert!(reason(Errno::PERM, false, 0).contains("only root"));
        assert!(said(Errno::PERM).contains("lockdown"));
        assert!(said(Errno::NOSYS).contains("CONFIG_KEXEC_FILE"));
        assert!(said(Errno::NOEXEC).contains("no image of a kernel"));
        assert!(said(Errno::ADDRNOTAVAIL).contains("no room"));
        assert!(said(Errno::INVAL).contains("3000 bytes"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named() {
        let error = open(Path::new("/nowhere/vmlinuz")).unwrap_err().to_string();
        assert!(error.contains("/nowhere/vmlinuz"), "{error}");
        let error = open(Path::new("/dev/null")).unwrap_err().to_string();
        assert!(
            error.contains("/dev/null") && error.contains("regular file"),
            "{error}"
        );
    }
}
