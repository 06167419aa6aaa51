//! What `--help` says after the options: examples and exit codes.

mod files;

pub(crate) use files::*;

pub(crate) const TOP: &str = "\
Examples:
  softctl status                   how the system is
  softctl status lighttpd          all about lighttpd.service
  softctl list-units --failed      what went wrong
  softctl logs -f lighttpd         what it writes, as it writes it
  softctl soft-reboot --check      would a soft-reboot work?

Exit codes:
  0  as asked
  1  a job failed, or another error
  2  the command line is wrong
  3  the unit cannot do this; status, is-active: not active
  4  not allowed, or refused because of other jobs; status, is-active, is-failed: no such unit
  5  no such unit
  6  the unit's file is bad or cannot be read

Environment:
  SOFTBOOT_CONTROL  the socket to talk to, instead of /run/softboot/control
  NO_COLOR          no colours, if not empty

`softctl VERB --help` has more about a verb.";

pub(crate) const LIST_UNITS: &str = "\
Examples:
  softctl list-units
  softctl list-units --all --type=socket
  softctl list-units 'light*'
  softctl list-units --failed --json";

pub(crate) const STATUS: &str = "\
Examples:
  softctl status                   the system in short
  softctl status lighttpd
  softctl status lighttpd.socket survivor --json

Exit codes: 0 active (always for the system), 3 not active, 4 no such unit; the worst of several units.";

pub(crate) const START: &str = "\
Examples:
  softctl start lighttpd
  softctl start a.socket b.socket
  softctl start --no-block slow    queue the job and return
  softctl start --dry-run big.target    which jobs it would make, and why

Exit codes: 0 started, 1 the job did not succeed, 4 refused, 5 no such unit, 6 bad unit file.";

pub(crate) const STOP: &str = "\
Examples:
  softctl stop lighttpd
  softctl stop --job-mode=triggering lighttpd    its sockets and timers too

Exit codes: 0 stopped, 1 the job did not succeed, 4 refused, 5 no such unit.";

pub(crate) const RESTART: &str = "\
Examples:
  softctl restart lighttpd
  softctl restart 'worker@*'

Descriptors in the unit's store and its sockets stay open meanwhile.";

pub(crate) const TRY_RESTART: &str = "\
Examples:
  softctl try-restart lighttpd     does nothing if it is not running";

pub(crate) const RELOAD: &str = "\
Examples:
  softctl reload lighttpd

Exit codes: 0 reloaded, 1 the job did not succeed, 3 the unit has no way to reload.";

pub(crate) const IS_ACTIVE: &str = "\
Examples:
  softctl is-active lighttpd
  softctl is-active -q lighttpd && echo up

Exit codes: 0 any unit is active, 3 none is, 4 there is no such unit.";

pub(crate) const IS_FAILED: &str = "\
Examples:
  softctl is-failed lighttpd

Exit codes: 0 any unit failed, 1 none did, 4 there is no such unit.";

pub(crate) const IS_SYSTEM_RUNNING: &str = "\
Examples:
  softctl is-system-running
  softctl is-system-running --wait

Prints starting, running, degraded (a unit failed) or stopping. Exit codes: 0 running, 1 otherwise.";

pub(crate) const LOGS: &str = "\
Examples:
  softctl logs lighttpd
  softctl logs -n 20 -f lighttpd   until interrupted
  softctl logs --json lighttpd     one object a line";

pub(crate) const LIST_JOBS: &str = "\
Examples:
  softctl list-jobs
  softctl list-jobs --after        and what each of them waits for
  softctl list-jobs --before 'light*'    and what waits for them";

pub(crate) const SHOW_ENVIRONMENT: &str = "\
Examples:
  softctl show-environment

Only root sees it. Settings of a unit come after these variables and win.";

pub(crate) const SET_ENVIRONMENT: &str = "\
Examples:
  softctl set-environment HTTP_PROXY=http://10.0.0.1:3128 LANG=C.UTF-8

It counts for what starts from now on, until the end of the machine, over re-execs and soft-reboots.";

pub(crate) const UNSET_ENVIRONMENT: &str = "\
Examples:
  softctl unset-environment HTTP_PROXY
  softctl unset-environment LANG=C.UTF-8    only if it has this value";

pub(crate) const IMPORT_ENVIRONMENT: &str = "\
Examples:
  softctl import-environment LANG TZ

Exit codes: 0 done, 1 one of them is not set here, 4 not allowed.";

pub(crate) const EXIT: &str = "\
Examples:
  softctl exit                     the container ends with 0
  softctl exit 3
  softctl exit --force 3           when a unit does not stop";

pub(crate) const CANCEL: &str = "\
Examples:
  softctl cancel 12
  softctl cancel                   all jobs";

pub(crate) const FDSTORE: &str = "\
Examples:
  softctl fdstore survivor
  softctl fdstore --json survivor

Sockets with the same cookie are the same kernel object, before and after a soft-reboot.";

pub(crate) const RESET_FAILED: &str = "\
Examples:
  softctl reset-failed lighttpd
  softctl reset-failed             all units";

pub(crate) const DAEMON_RELOAD: &str = "\
Examples:
  softctl daemon-reload            after a unit file was changed";

pub(crate) const DAEMON_REEXEC: &str = "\
Examples:
  softctl daemon-reexec --check    exit code 0: it would work
  softctl daemon-reexec            after softbootd was upgraded";

pub(crate) const SOFT_REBOOT: &str = "\
Examples:
  softctl soft-reboot --check      exit code 0: the next softbootd could take over
  softctl soft-reboot
  softctl soft-reboot --wait       return when the next userspace has booted
  softctl soft-reboot /srv/next    into another root: a directory or a disk image
  softctl soft-reboot ''            in this root, whatever is at /run/nextroot";

pub(crate) const POWEROFF: &str = "\
Examples:
  softctl poweroff
  softctl poweroff --force         when a unit does not stop";

pub(crate) const REBOOT: &str = "\
Examples:
  softctl reboot                   with the kernel; softctl soft-reboot without it. With a
                                   next root mounted at /run/nextroot it is a soft-reboot
  softctl reboot --force           when a unit does not stop";

pub(crate) const KEXEC: &str = "\
Examples:
  softctl kexec --kernel /boot/vmlinuz --initrd /boot/initrd.img --reuse-cmdline
  softctl kexec --kernel /boot/vmlinuz --initrd /boot/initrd.img --cmdline 'root=/dev/vda1 quiet'
  softctl kexec --kernel /boot/vmlinuz --reuse-cmdline --load-only    look at it first, go later
  softctl kexec                    into a kernel that is loaded; refused when there is none
  softctl kexec --force            when a unit does not stop

Units are stopped and file systems unmounted as for a reboot; only the firmware and the boot loader
are left out. The files are read before anything stops: they need not be there afterwards.
/sys/kernel/kexec_loaded is 1 when a kernel is loaded. Loading needs root.";

pub(crate) const HALT: &str = "\
Examples:
  softctl halt
  softctl halt --force             when a unit does not stop";

pub(crate) const RELOAD_OR_RESTART: &str = "\
Examples:
  softctl reload-or-restart lighttpd

Exit codes: 0 done, 1 the job did not succeed, 4 refused, 5 no such unit.";

pub(crate) const TRY_RELOAD_OR_RESTART: &str = "\
Examples:
  softctl try-reload-or-restart lighttpd     does nothing if it is not running";

pub(crate) const ISOLATE: &str = "\
Examples:
  softctl isolate rescue.target    only what a person needs to repair the system

The unit must have AllowIsolate=yes. Exit codes: 0 done, 1 the job did not succeed, 4 refused, 5 no such unit.";

pub(crate) const RESCUE: &str = "\
Examples:
  softctl rescue                   the same as softctl isolate rescue.target
  softctl default                  back again

Exit codes: 0 done, 1 the job did not succeed, 4 refused.";

pub(crate) const EMERGENCY: &str = "\
Examples:
  softctl emergency                the same as softctl isolate emergency.target
  softctl default                  back again

Exit codes: 0 done, 1 the job did not succeed, 4 refused.";

pub(crate) const DEFAULT: &str = "\
Examples:
  softctl default                  the same as softctl isolate default.target

Exit codes: 0 done, 1 the job did not succeed, 4 refused.";

pub(crate) const RUN: &str = "\
Examples:
  softctl run --wait /usr/bin/make -C /src
  softctl run --unit=worker -p Restart=on-failure -p MemoryMax=200M /usr/bin/worker
  softctl run -E LANG=C --description='One count' /usr/bin/wc -l /etc/passwd

Words of the command are passed on as they are. What it writes is in `softctl logs UNIT`. The unit is
gone when it has stopped; one that failed stays until `softctl reset-failed`.
Exit codes: with --wait the command's own, 1 if a signal ended it; otherwise as for start.";

pub(crate) const KILL: &str = "\
Examples:
  softctl kill -s HUP lighttpd
  softctl kill --kill-whom=main -s USR1 worker

Exit codes: 0 sent (also if there was nobody to send it to, for all), 1 no such process, 5 no such unit.";

pub(crate) const CLEAN: &str = "\
Examples:
  softctl clean lighttpd           after softctl stop lighttpd
  softctl clean --what=state,logs lighttpd
  softctl clean --what=all lighttpd
  softctl show -p CanClean lighttpd

While directories are removed the unit is in maintenance, and a start waits. TimeoutCleanSec= limits it.
Exit codes: 0 done, 1 the unit is not inactive, has nothing to clean, or not all could be removed,
5 no such unit.";

pub(crate) const SHOW: &str = "\
Examples:
  softctl show                               softbootd itself
  softctl show lighttpd
  softctl show -p MainPID,ActiveState lighttpd
  softctl show -p MainPID --value lighttpd
  softctl show --json lighttpd               spans and instants as integers in microseconds

An unknown unit has LoadState=not-found, and the exit code is 0.";

pub(crate) const CAT: &str = "\
Examples:
  softctl cat lighttpd

Exit codes: 0 shown, 1 a unit has no file or it cannot be read, 5 no such unit.";

pub(crate) const LIST_SOCKETS: &str = "\
Examples:
  softctl list-sockets
  softctl list-sockets --all 'light*'";

pub(crate) const LIST_DEPENDENCIES: &str = "\
Examples:
  softctl list-dependencies                  of what is booted
  softctl list-dependencies --reverse lighttpd.socket
  softctl list-dependencies --after lighttpd
  softctl list-dependencies --all --plain multi-user.target

Only targets are followed unless --all is given. Each unit is followed once.";

pub(crate) const DOT: &str = "\
Examples:
  softctl dot | dot -Tsvg > units.svg
  softctl dot --order 'light*'

Black: Requires, blue: Requisite, gold: BindsTo, grey: Wants, red: Conflicts, green: After.";

pub(crate) const BLAME: &str = "\
Examples:
  softctl blame                    since the boot, or the last soft-reboot

A unit that waits for another counts only from where its own start began.";

pub(crate) const CRITICAL_CHAIN: &str = "\
Examples:
  softctl critical-chain
  softctl critical-chain lighttpd

After @ is when the unit was active, counted from the beginning of this userspace; after + how long its
start took.";

pub(crate) const GREYOUT: &str = "\
Examples:
  softctl greyout                  the last one
  softctl greyout --last 3
  softctl greyout --json

Times count from the request. While a phase is marked as answered, nothing has stopped yet. AWAY is from
the beginning of a unit's stop until it was active again; CLIENT how long the first client of a socket waited
that softbootd saw; WAITED FOR says whether the end of the stop, or of the boot, waited for the unit.
Clients feel what of this concerns the service they use.";

pub(crate) const SNAPSHOT: &str = "\
Examples:
  softctl snapshot                 an overview
  softctl snapshot ssh.socket      the record of one unit, as it is
  softctl snapshot --json          everything

Only root may: it has the environment and the half-written lines of services. Nothing changes by looking.
softboot-inspect shows the same of a file, and of a softbootd that does not answer.";

pub(crate) const INSPECT: &str = "\
Examples:
  softboot-inspect 1               the journal of process 1 and what it goes on from
  softboot-inspect copy.snapshot
  softboot-inspect copy.snapshot ssh.socket
  softboot-inspect --json 1

A copy need not be sealed and may be damaged: what is wrong is said with its place in bytes, and what can be
read is shown. The memory files of a process are opened anew, so that nothing of it changes; only root may.

Exit codes: 0 all is whole; 1 damaged or unreadable; 2 none of these files; 4 not allowed; 5 no record of
the unit.";

pub(crate) const EVENTS: &str = "\
Examples:
  softctl events                   until interrupted
  softctl events --json 'light*'   one object a line";

pub(crate) const VERIFY: &str = "\
Examples:
  softctl verify ./my.service
  softctl verify --root=/srv/image multi-user.target

Exit codes: 0 nothing is wrong (settings that nothing acts on yet are only listed), 1 something is, or a
file cannot be read.";
