//! The verbs.

use clap::Subcommand;

use super::*;
use crate::help;

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List units that are active, failed or have something to do
    #[command(after_help = help::LIST_UNITS)]
    ListUnits(ListUnits),
    /// Show the system, or units with their processes, sockets, descriptors and last log lines
    #[command(after_help = help::STATUS)]
    Status(Status),
    /// Start units
    #[command(after_help = help::START)]
    Start(Job),
    /// Stop units
    #[command(after_help = help::STOP, alias = "condstop")]
    Stop(Job),
    /// Stop and start units; start those that are not running
    #[command(after_help = help::RESTART)]
    Restart(Job),
    /// Restart units that are running
    #[command(after_help = help::TRY_RESTART, alias = "condrestart")]
    TryRestart(Job),
    /// Let units read their configuration again
    #[command(after_help = help::RELOAD)]
    Reload(Job),
    /// Let units read their configuration again; restart those that have no way to
    #[command(after_help = help::RELOAD_OR_RESTART)]
    ReloadOrRestart(Job),
    /// The same for units that are running; the others stay as they are
    #[command(
        after_help = help::TRY_RELOAD_OR_RESTART,
        aliases = ["reload-or-try-restart", "force-reload", "condreload"]
    )]
    TryReloadOrRestart(Job),
    /// Start a unit and stop everything that it does not need
    #[command(after_help = help::ISOLATE)]
    Isolate(Isolate),
    /// Stop everything but what a person needs to repair the system
    #[command(after_help = help::RESCUE)]
    Rescue(Whole),
    /// Stop everything, and mount nothing
    #[command(after_help = help::EMERGENCY)]
    Emergency(Whole),
    /// Back to what a boot starts; everything else is stopped
    #[command(after_help = help::DEFAULT)]
    Default(Whole),
    /// Run a command as a service of its own
    #[command(after_help = help::RUN)]
    Run(Run),
    /// Send a signal to the processes of units
    #[command(after_help = help::KILL)]
    Kill(Kill),
    /// Remove directories and descriptors that services leave behind which are not running
    #[command(after_help = help::CLEAN)]
    Clean(Clean),
    /// Show properties of units, or of softbootd, for programs
    #[command(after_help = help::SHOW)]
    Show(Show),
    /// Show the files of units, with their drop-ins
    #[command(after_help = help::CAT)]
    Cat(SomeUnits),
    /// List what socket units listen on, and what they start
    #[command(after_help = help::LIST_SOCKETS)]
    ListSockets(ListSockets),
    /// Show what a unit needs, as a tree
    #[command(after_help = help::LIST_DEPENDENCIES)]
    ListDependencies(ListDependencies),
    /// Write the dependencies of units as a graph for Graphviz
    #[command(after_help = help::DOT)]
    Dot(Dot),
    /// List units by the time their start took
    #[command(after_help = help::BLAME)]
    Blame,
    /// Show what the start of a unit waited for
    #[command(after_help = help::CRITICAL_CHAIN)]
    CriticalChain(CriticalChain),
    /// Show where the time of the last soft-reboot, re-exec or crash went, and what would make it shorter
    #[command(after_help = help::GREYOUT)]
    Greyout(Greyout),
    /// Show what would cross a re-exec now
    #[command(after_help = help::SNAPSHOT)]
    Snapshot(Snapshot),
    /// Print what happens to units and jobs, as it happens
    #[command(after_help = help::EVENTS)]
    Events(Events),
    /// List unit files and whether they are enabled; softbootd need not run
    #[command(after_help = help::LIST_UNIT_FILES)]
    ListUnitFiles(ListUnitFiles),
    /// Say whether units are enabled: exit code 0 if any is
    #[command(after_help = help::IS_ENABLED)]
    IsEnabled(IsEnabled),
    /// Have units started by what their Install section names
    #[command(after_help = help::ENABLE)]
    Enable(Enable),
    /// Undo enable
    #[command(after_help = help::DISABLE)]
    Disable(Enable),
    /// Keep units from being started at all
    #[command(after_help = help::MASK)]
    Mask(Enable),
    /// Undo mask
    #[command(after_help = help::UNMASK)]
    Unmask(Unmask),
    /// Disable units and enable them anew, after their Install section has changed
    #[command(after_help = help::REENABLE)]
    Reenable(Enable),
    /// Give unit files outside the search path their names in it
    #[command(after_help = help::LINK)]
    Link(Link),
    /// Have a target start units, as Wants= in its file would
    #[command(after_help = help::ADD_WANTS)]
    AddWants(AddTo),
    /// Have a target need units, as Requires= in its file would
    #[command(after_help = help::ADD_REQUIRES)]
    AddRequires(AddTo),
    /// Change units with an editor: a drop-in, or with --full a copy of the whole file
    #[command(after_help = help::EDIT)]
    Edit(Edit),
    /// Take away drop-ins, masks, and files in the place of a vendor's
    #[command(after_help = help::REVERT)]
    Revert(Revert),
    /// Print what a boot starts
    #[command(after_help = help::GET_DEFAULT)]
    GetDefault(Root),
    /// Choose what a boot starts
    #[command(after_help = help::SET_DEFAULT)]
    SetDefault(SetDefault),
    /// Look for mistakes in unit files; softbootd need not run
    #[command(after_help = help::VERIFY)]
    Verify(Verify),
    /// Print what a shell needs to complete softctl's words
    #[command(hide = true)]
    Completions(Completions),
    /// Write the manual pages and the completions of every shell
    #[command(hide = true)]
    Generate(Generate),
    /// Say whether a unit is active: exit code 0 if any is
    #[command(after_help = help::IS_ACTIVE)]
    IsActive(SomeUnits),
    /// Say whether a unit failed: exit code 0 if any did
    #[command(after_help = help::IS_FAILED)]
    IsFailed(SomeUnits),
    /// Say whether the system is up: exit code 0 if it is and nothing failed
    #[command(after_help = help::IS_SYSTEM_RUNNING)]
    IsSystemRunning(Wait),
    /// Show what a unit wrote
    #[command(after_help = help::LOGS)]
    Logs(Logs),
    /// List jobs that wait or run
    #[command(after_help = help::LIST_JOBS)]
    ListJobs(ListJobs),
    /// Cancel a job, or all jobs
    #[command(after_help = help::CANCEL)]
    Cancel(Cancel),
    /// List the descriptors softbootd keeps for a unit
    #[command(after_help = help::FDSTORE)]
    Fdstore(OneUnit),
    /// Print the variables that every service starts with
    #[command(after_help = help::SHOW_ENVIRONMENT)]
    ShowEnvironment,
    /// Set variables that services start with from now on
    #[command(after_help = help::SET_ENVIRONMENT)]
    SetEnvironment(SetEnvironment),
    /// Take such variables away
    #[command(after_help = help::UNSET_ENVIRONMENT)]
    UnsetEnvironment(Variables),
    /// Set such variables to what they are here
    #[command(after_help = help::IMPORT_ENVIRONMENT)]
    ImportEnvironment(Variables),
    /// Forget that units failed
    #[command(after_help = help::RESET_FAILED)]
    ResetFailed(Units),
    /// Read the unit files again
    #[command(after_help = help::DAEMON_RELOAD)]
    DaemonReload(Reload),
    /// Replace the running softbootd by the one on disk; units do not notice
    #[command(after_help = help::DAEMON_REEXEC)]
    DaemonReexec(Reexec),
    /// Restart userspace without the kernel; what is set to survive goes on
    #[command(after_help = help::SOFT_REBOOT)]
    SoftReboot(SoftReboot),
    /// Stop everything and switch the machine off
    #[command(after_help = help::POWEROFF)]
    Poweroff(Force),
    /// Stop everything and start the machine again
    #[command(after_help = help::REBOOT)]
    Reboot(Force),
    /// Stop everything and halt the machine
    #[command(after_help = help::HALT)]
    Halt(Force),
    /// End a container, with an exit code; elsewhere the same as poweroff
    #[command(after_help = help::EXIT)]
    Exit(Exit),
    /// Reboot into a kernel of a file, or into one that is loaded, without the firmware
    #[command(after_help = help::KEXEC)]
    Kexec(Kexec),
}
