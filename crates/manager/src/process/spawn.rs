//! From the engine's wish for a process to a process.

use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use fdstore::InsertOptions;
use rustix::event::epoll::EventFlags;
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use softboot_engine::{CommandRef, Event, ExecList, Spawn};
use softboot_sys::spawn::{SpawnPlan, spawn};
use softboot_unit::{Definition, ExecCommand, ServiceSection, UnitName};
use tracing::debug;

use super::{Process, commands, program, streams};
use crate::environment::{self, Facts};
use crate::owner::Role;
use crate::run::{Manager, Source};
use crate::users;

/// Why a process could not be made: the sentence and the exit code the reference shows (semantics 4.10).
pub(crate) struct Refused {
    error: String,
    code: i32,
}

fn refused(code: i32) -> impl FnOnce(String) -> Refused {
    move |error| Refused { error, code }
}

/// Exit codes of a failed preparation (semantics 4.10; systemd.exec(5), "Process exit codes").
mod code {
    pub(crate) const FDS: i32 = 202;
    pub(crate) const EXEC: i32 = 203;
    pub(crate) const CHROOT: i32 = 210;
    pub(crate) const GROUP: i32 = 216;
    pub(crate) const USER: i32 = 217;
    pub(crate) const CGROUP: i32 = 219;
    pub(crate) const RUNTIME_DIRECTORY: i32 = 233;
}

impl Manager {
    /// Starts the process, or tells the engine why not.
    pub(crate) fn spawn(&mut self, spawn: &Spawn) {
        if let Err(refused) = self.try_spawn(spawn) {
            self.feed(Event::SpawnFailed {
                process: spawn.process,
                error: refused.error,
                code: refused.code,
            });
        }
    }

    fn try_spawn(&mut self, wish: &Spawn) -> Result<(), Refused> {
        let definition = self.engine.definition(wish.unit);
        let Some((service, Definition { name, unit, .. })) =
            definition.and_then(|definition| Some((commands::of(definition)?, definition.clone())))
        else {
            return Err(Refused {
                error: "the unit has no commands any more".to_owned(),
                code: code::EXEC,
            });
        };
        if wish.command.list == ExecList::Start {
            self.make_mount_point(wish.unit).map_err(refused(code::EXEC))?;
        }
        let command = command_of(&service, wish.command)
            .cloned()
            .ok_or_else(|| Refused {
                error: format!("the unit has no command {:?} any more", wish.command),
                code: code::EXEC,
            })?;
        if let Some(root) = &service.exec.root_directory {
            return Err(Refused {
                error: format!("RootDirectory={root} is not supported"),
                code: code::CHROOT,
            });
        }
        let account = self.account(&service, &command)?;
        self.make_runtime_directories(&service, &account)?;
        let cgroup = self.service_cgroup(&name, &service, unit.survive_final_kill_signal)?;
        let invocation = self.invocation(&name, wish.new_invocation);

        let passed = if wish.pass_fds {
            self.passed_fds(wish, &name, &service)
        } else {
            Vec::new()
        };
        let names: Vec<String> = passed.iter().map(|(name, _)| name.clone()).collect();
        let remote = wish
            .connection
            .and_then(|token| self.remotes.get(&token).cloned());
        let env = environment::build(&Facts {
            spawn: wish,
            service: &service,
            invocation: &invocation,
            user: account.user.as_ref(),
            fd_names: &names,
            remote: remote.as_ref(),
        })
        .map_err(refused(code::EXEC))?;

        let log = self.log_pipe(wish.unit, &name).map_err(refused(209))?;
        let connection = wish.connection.and_then(|token| self.connection(&name, token));
        let stdio = streams::open_all(
            &service.exec,
            &streams::Available {
                log: &log,
                connection,
            },
        )
        .map_err(|(error, code)| Refused { error, code })?;

        let file = program::find(&command.path).map_err(refused(code::EXEC))?;
        let arguments = softboot_unit::expand::expand(&command, &env);
        let fds: Vec<BorrowedFd<'_>> = passed.iter().map(|(_, fd)| fd.as_fd()).collect();
        let [stdin, stdout, stderr] = &stdio;
        let mut plan = SpawnPlan::new(
            c_string(path_text(&file)?)?,
            arguments.into_iter().map(c_string).collect::<Result<_, _>>()?,
            env.iter()
                .map(|(name, value)| c_string(format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
            [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
        );
        plan.listen_pid = !fds.is_empty();
        plan.fds = fds;
        plan.cgroup = Some(cgroup.as_fd());
        self.apply_context(&mut plan, &service, &account)?;
        let spawned = spawn(&plan).map_err(|error| Refused {
            error: error.to_string(),
            code: code::EXEC,
        })?;
        drop(plan);
        debug!(
            "{name}: {} is process {}",
            command.path,
            spawned.pid.as_raw_nonzero()
        );
        self.adopt_spawned(wish, name, spawned)
    }

    fn adopt_spawned(
        &mut self,
        wish: &Spawn,
        unit: UnitName,
        spawned: softboot_sys::spawn::Spawned,
    ) -> Result<(), Refused> {
        let pid = spawned.pid.as_raw_nonzero().get();
        let token = wish.process.0.to_string();
        let pidfd = self
            .keep(&Role::Process.of(&unit), &token, spawned.pidfd)
            .map_err(refused(code::FDS))?;
        // Without its pipe a failed exec still shows as the exit code of the child.
        let exec_status = self
            .keep(&Role::ExecStatus.of(&unit), &token, spawned.status)
            .ok();
        if let Some(id) = exec_status {
            self.watch_entry(Source::ExecStatus(wish.process), id, EventFlags::IN);
        }
        self.processes.insert(
            wish.process,
            Process {
                unit,
                pid,
                alien: false,
                exec_pending: exec_status.is_some(),
                failed: false,
                pidfd,
                exec_status,
            },
        );
        self.feed(Event::Spawned {
            process: wish.process,
            pid,
        });
        Ok(())
    }

    /// Puts a descriptor of PID 1's own into the store.
    pub(crate) fn keep(&mut self, owner: &str, name: &str, fd: OwnedFd) -> Result<fdstore::EntryId, String> {
        let name = fdstore::FdName::new(name).map_err(|error| error.to_string())?;
        let inserted = self
            .store
            .insert(owner, &name, fd, InsertOptions::default())
            .map_err(|error| error.to_string())?;
        Ok(inserted.id())
    }

    /// Sockets first, in the order of their names and ports, then the fd store, oldest first (semantics 1.1; the
    /// order of the store is ours: `docs/differences.md`).
    fn passed_fds(&self, wish: &Spawn, unit: &UnitName, service: &ServiceSection) -> Vec<(String, OwnedFd)> {
        let mut passed = Vec::new();
        if let Some(token) = wish.connection {
            let name = wish
                .socket
                .as_ref()
                .and_then(|socket| self.socket_fd_name(socket));
            if let Some(fd) = self.connection(unit, token) {
                passed.push((name.unwrap_or_else(|| "connection".to_owned()), fd));
            }
        } else {
            // A socket's own commands get its own ports (PassFileDescriptorsToExec=).
            let own = self.socket_section(wish.unit).is_some().then_some(wish.unit);
            let others = self.engine.sockets_of(wish.unit);
            for socket in own.into_iter().chain(others) {
                let Some(socket) = self.engine.name(socket) else {
                    continue;
                };
                let name = self.socket_fd_name(socket).unwrap_or_else(|| socket.to_string());
                for entry in self.ports(socket) {
                    if let Some(fd) = self.store.fd(entry).and_then(|fd| fd.try_clone_to_owned().ok()) {
                        passed.push((name.clone(), fd));
                    }
                }
            }
        }
        for (_, fd) in &passed {
            set_nonblocking(fd, service.non_blocking);
        }
        for entry in self.store.entries_of(&Role::Store.of(unit)) {
            if let Some(fd) = self
                .store
                .fd(entry.id())
                .and_then(|fd| fd.try_clone_to_owned().ok())
            {
                passed.push((entry.name().to_string(), fd));
            }
        }
        passed
    }

    fn connection(&self, unit: &UnitName, token: softboot_engine::FdToken) -> Option<OwnedFd> {
        let name = fdstore::FdName::new(&token.0.to_string()).ok()?;
        let entry = self.store.find(&Role::Connection.of(unit), &name)?;
        self.store.fd(entry)?.try_clone_to_owned().ok()
    }

    fn service_cgroup(
        &mut self,
        name: &UnitName,
        service: &ServiceSection,
        survives: bool,
    ) -> Result<OwnedFd, Refused> {
        let relative = crate::cgroup::path_of(&service.slice, name);
        let fd = self.cgroups.create(&relative).map_err(|error| Refused {
            error: format!("cgroup {relative}: {error}"),
            code: code::CGROUP,
        })?;
        let path = self.cgroups.path(&relative);
        for (file, limit) in [
            ("memory.max", service.memory_max),
            ("pids.max", service.tasks_max),
        ] {
            if let Some(limit) = limit
                && let Err(error) = std::fs::write(path.join(file), limit.to_string())
            {
                self.unit_log_line(name, &format!("{file} cannot be enforced here: {error}"));
            }
        }
        let mark: &[u8] = if survives { b"1" } else { b"0" };
        // For tools that read the reference's mark; our own kill asks the engine (semantics 7.5).
        let _ = rustix::fs::setxattr(
            &path,
            "user.survive_final_kill_signal",
            mark,
            rustix::fs::XattrFlags::empty(),
        );
        Ok(fd)
    }

    fn invocation(&mut self, unit: &UnitName, new: bool) -> String {
        if let (false, Some(known)) = (new, self.invocations.get(unit)) {
            return known.clone();
        }
        let mut bytes = [0_u8; 16];
        // Never blocks once the kernel's pool is ready; before that the zeroes are honest enough.
        let _ = rustix::rand::getrandom(&mut bytes[..], rustix::rand::GetRandomFlags::NONBLOCK);
        let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.invocations.insert(unit.clone(), text.clone());
        text
    }

    fn account(&self, service: &ServiceSection, command: &ExecCommand) -> Result<Account, Refused> {
        if command.full_privileges || command.keep_user {
            return Ok(Account::default());
        }
        let user = service
            .exec
            .user
            .as_deref()
            .map(users::user)
            .transpose()
            .map_err(refused(code::USER))?;
        let group = service
            .exec
            .group
            .as_deref()
            .map(users::group)
            .transpose()
            .map_err(refused(code::GROUP))?;
        let groups = user.as_ref().map(users::groups_of);
        let gid = group.or(user.as_ref().map(|user| user.gid));
        Ok(Account { user, gid, groups })
    }

    fn make_runtime_directories(&self, service: &ServiceSection, account: &Account) -> Result<(), Refused> {
        for name in &service.exec.runtime_directory {
            let path = Path::new("/run").join(name);
            let made = std::fs::create_dir_all(&path)
                .map_err(rustix_error)
                .and_then(|()| {
                    let mode = rustix::fs::Mode::from_raw_mode(service.exec.runtime_directory_mode);
                    rustix::fs::chmod(&path, mode)?;
                    let uid = account
                        .user
                        .as_ref()
                        .map(|user| rustix::fs::Uid::from_raw(user.uid));
                    rustix::fs::chown(&path, uid, account.gid.map(rustix::fs::Gid::from_raw))
                });
            made.map_err(|error| Refused {
                error: format!("runtime directory {}: {error}", path.display()),
                code: code::RUNTIME_DIRECTORY,
            })?;
        }
        Ok(())
    }

    fn apply_context(
        &self,
        plan: &mut SpawnPlan<'_>,
        service: &ServiceSection,
        account: &Account,
    ) -> Result<(), Refused> {
        let exec = &service.exec;
        plan.uid = account.user.as_ref().map(|user| user.uid);
        plan.gid = account.gid;
        plan.groups.clone_from(&account.groups);
        plan.umask = exec.umask;
        plan.nice = exec.nice;
        plan.oom_score_adjust = exec.oom_score_adjust;
        plan.no_new_privileges = exec.no_new_privileges;
        plan.ignore_sigpipe = exec.ignore_sigpipe;
        plan.controlling_tty = streams::wants_tty(exec);
        if let Some(directory) = &exec.working_directory {
            let home = account.user.as_ref().map_or("/root", |user| user.home.as_str());
            let directory = if directory == "~" { home } else { directory };
            plan.working_directory = Some((c_string(directory.to_owned())?, exec.working_directory_optional));
        }
        plan.rlimits = limits(exec, self.facts.service_nofile);
        Ok(())
    }
}

#[derive(Default)]
struct Account {
    user: Option<users::User>,
    gid: Option<u32>,
    groups: Option<Vec<u32>>,
}

/// The command an engine reference means.
fn command_of(service: &ServiceSection, reference: CommandRef) -> Option<&ExecCommand> {
    let list = match reference.list {
        ExecList::Condition => &service.exec_condition,
        ExecList::StartPre => &service.exec_start_pre,
        ExecList::Start => &service.exec_start,
        ExecList::StartPost => &service.exec_start_post,
        ExecList::Reload => &service.exec_reload,
        ExecList::ReloadPost => &service.exec_reload_post,
        ExecList::Stop => &service.exec_stop,
        ExecList::StopPost => &service.exec_stop_post,
    };
    list.get(usize::try_from(reference.index).ok()?)
}

/// RLIMIT numbers of setrlimit(2), the same on all architectures softboot runs on, by the unit setting's name.
const LIMITS: [(&str, u32); 16] = [
    ("CPU", 0),
    ("FSIZE", 1),
    ("DATA", 2),
    ("STACK", 3),
    ("CORE", 4),
    ("RSS", 5),
    ("NPROC", 6),
    ("NOFILE", 7),
    ("MEMLOCK", 8),
    ("AS", 9),
    ("LOCKS", 10),
    ("SIGPENDING", 11),
    ("MSGQUEUE", 12),
    ("NICE", 13),
    ("RTPRIO", 14),
    ("RTTIME", 15),
];

fn limits(exec: &softboot_unit::ExecContext, nofile: (u64, u64)) -> Vec<(u32, u64, u64)> {
    const NOFILE: u32 = 7;
    let mut limits = vec![(NOFILE, nofile.0, nofile.1)];
    for (name, soft, hard) in &exec.limits {
        if let Some((_, number)) = LIMITS.iter().find(|(known, _)| known == name) {
            limits.retain(|(known, _, _)| known != number);
            limits.push((*number, soft.unwrap_or(u64::MAX), hard.unwrap_or(u64::MAX)));
        }
    }
    limits
}

fn set_nonblocking(fd: &OwnedFd, on: bool) {
    let Ok(flags) = fcntl_getfl(fd) else { return };
    let wanted = if on {
        flags | OFlags::NONBLOCK
    } else {
        flags - OFlags::NONBLOCK
    };
    if wanted != flags {
        let _ = fcntl_setfl(fd, wanted);
    }
}

fn c_string(text: String) -> Result<CString, Refused> {
    CString::new(text).map_err(|error| Refused {
        error: format!("a NUL byte in a command line or variable: {error}"),
        code: code::EXEC,
    })
}

fn path_text(path: &Path) -> Result<String, Refused> {
    path.to_str().map(str::to_owned).ok_or_else(|| Refused {
        error: format!("{} is not UTF-8", path.display()),
        code: code::EXEC,
    })
}

fn rustix_error(error: std::io::Error) -> rustix::io::Errno {
    rustix::io::Errno::from_io_error(&error).unwrap_or(rustix::io::Errno::IO)
}
