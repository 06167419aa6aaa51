//! `kexec`: the kernel to go to, and its command line.

use std::path::PathBuf;

use clap::Args;

use super::Force;

/// `kexec`.
#[derive(Debug, Args)]
pub(crate) struct Kexec {
    #[command(flatten)]
    pub(crate) force: Force,
    /// Load this kernel first; without it the one that is loaded already is started
    #[arg(long, value_name = "FILE", requires = "line")]
    pub(crate) kernel: Option<PathBuf>,
    /// The initial RAM file system of that kernel; without it the kernel has none
    #[arg(long, value_name = "FILE", requires = "kernel")]
    pub(crate) initrd: Option<PathBuf>,
    /// The command line of that kernel
    #[arg(long, value_name = "TEXT", group = "line", requires = "kernel")]
    pub(crate) cmdline: Option<String>,
    /// The command line of the running kernel, without the name of its image
    #[arg(long, group = "line", requires = "kernel")]
    pub(crate) reuse_cmdline: bool,
    /// Only load the kernel; the next `softctl kexec` goes to it
    #[arg(long, requires = "kernel", conflicts_with = "force")]
    pub(crate) load_only: bool,
}

#[cfg(test)]
mod tests {
    use super::super::{Cli, Kexec, Verb};
    use clap::Parser as _;

    fn parse(words: &str) -> Result<Kexec, clap::Error> {
        let words = ["softctl", "kexec"].into_iter().chain(words.split_whitespace());
        match Cli::try_parse_from(words)?.verb {
            Verb::Kexec(kexec) => Ok(kexec),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn without_a_kernel_the_loaded_one_is_meant() {
        let kexec = parse("").unwrap();
        assert!(kexec.kernel.is_none() && !kexec.load_only);
        assert_eq!(parse("-ff").unwrap().force.force, 2);
    }

    #[test]
    fn a_kernel_comes_with_one_command_line() {
        let kexec = parse("--kernel /k --initrd /i --cmdline quiet --force").unwrap();
        assert_eq!(kexec.kernel.as_deref(), Some("/k".as_ref()));
        assert_eq!(kexec.initrd.as_deref(), Some("/i".as_ref()));
        assert_eq!((kexec.cmdline.as_deref(), kexec.force.force), (Some("quiet"), 1));
        let kexec = parse("--kernel=/k --reuse-cmdline --load-only").unwrap();
        assert!(kexec.reuse_cmdline && kexec.load_only && kexec.initrd.is_none());
        // An empty one has to be said.
        assert_eq!(
            parse("--kernel /k --cmdline=").unwrap().cmdline.as_deref(),
            Some("")
        );
    }

    #[test]
    fn what_makes_no_sense_is_a_usage_error() {
        for wrong in [
            "--kernel /k",
            "--kernel /k --cmdline a --reuse-cmdline",
            "--initrd /i",
            "--initrd /i --reuse-cmdline",
            "--cmdline a",
            "--reuse-cmdline",
            "--load-only",
            "--kernel /k --reuse-cmdline --load-only --force",
            "/k",
        ] {
            assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong}");
        }
    }
}
