//! fdstored: holds descriptors for systems without a service manager that keeps them.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use holder::config::Config;
use holder::daemon::{Daemon, DaemonError, Options, check_handoff};
use tracing::Level;

/// Something went wrong at run time.
const EXIT_FAILED: u8 = 1;
/// Somebody has the sockets already, or they cannot be bound.
const EXIT_SOCKETS: u8 = 3;
/// The configuration is wrong (LSB's "not configured").
const EXIT_CONFIG: u8 = 6;

/// Holds descriptors for programs that restart.
///
/// Programs store descriptors over Varlink (io.softboot.FdStore) or with sd_notify's FDSTORE=1, and get them back in
/// their next life. The store survives an upgrade of fdstored itself (fdstorectl upgrade), and is lost when fdstored
/// ends or is killed.
#[derive(Parser)]
#[command(
    version,
    after_help = "Signals: HUP reads the configuration again, TERM and INT end.\n\
                  Exit status: 0 ended by a signal or checked, 1 failure, 2 usage, 3 sockets in use or not to be \
                  bound, 6 configuration wrong."
)]
struct Cli {
    /// Configuration file (TOML); without it root and fdstored's own user may do everything.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where to listen for Varlink, unless a socket named "varlink" is passed.
    #[arg(long, value_name = "PATH", default_value = holder::ctl::DEFAULT_SOCKET)]
    socket: PathBuf,
    /// Where to listen for notifications, unless a socket named "notify" is passed.
    #[arg(long, value_name = "PATH", default_value = "/run/fdstored/notify")]
    notify_socket: PathBuf,
    /// Read the configuration, say what is wrong with it, and end.
    #[arg(long)]
    check: bool,
    /// Also read a running holder's state from standard input.
    #[arg(long, hide = true, requires = "check")]
    check_handoff: bool,
    /// Print the built-in configuration, as a start for one's own.
    #[arg(long, conflicts_with = "check")]
    print_config: bool,
    /// Say more.
    #[arg(long, short)]
    verbose: bool,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = if cli.print_config {
        print(&holder::config::default_text())
    } else if cli.check {
        check(&cli)
    } else {
        run(cli)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err((code, reason)) => {
            let _ = writeln!(std::io::stderr(), "fdstored: {reason}");
            ExitCode::from(code)
        }
    }
}

type Failure = (u8, String);

fn print(text: &str) -> Result<(), Failure> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err((EXIT_FAILED, error.to_string())),
        _ => Ok(()),
    }
}

fn check(cli: &Cli) -> Result<(), Failure> {
    Config::load(cli.config.as_deref()).map_err(|error| (EXIT_CONFIG, error.to_string()))?;
    if cli.check_handoff {
        check_handoff().map_err(|error| (EXIT_FAILED, format!("the running program's state: {error}")))?;
    }
    Ok(())
}

fn run(cli: Cli) -> Result<(), Failure> {
    let level = if cli.verbose { Level::DEBUG } else { Level::INFO };
    holder::log::start(level).map_err(|error| (EXIT_FAILED, error.to_string()))?;
    let options = Options {
        config: cli.config,
        socket: cli.socket,
        notify_socket: cli.notify_socket,
    };
    Daemon::start(options)
        .and_then(|mut daemon| daemon.run())
        .map_err(|error| {
            let code = match &error {
                DaemonError::Config(_) => EXIT_CONFIG,
                DaemonError::Sockets(_) => EXIT_SOCKETS,
                _ => EXIT_FAILED,
            };
            (code, error.to_string())
        })
}
