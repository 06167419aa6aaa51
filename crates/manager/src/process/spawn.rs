//! From the engine's wish for a process to a process.

use std::ffi::CString;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};
use std::path::Path;

use fdstore::InsertOptions;
use rustix::event::epoll::EventFlags;
use softboot_engine::{CommandRef, Event, ExecList, Spawn};
use softboot_sys::spawn::{SpawnPlan, spawn};
use softboot_unit::{Definition, ExecCommand, ServiceSection, UnitName};
use tracing::debug;

use super::account::Account;
use super::refused::{Refused, c_string, code, path_text, refused};
use super::{
    Process, commands, context, credentials, directories, journal, open_files, program, streams, view,
};
use crate::environment::{self, Facts};
use crate::owner::Role;
use crate::paths;
use crate::run::{Manager, Source};

impl Manager {
    /// Starts the process, or tells the engine why not.
    pub(crate) fn spawn(&mut self, spawn: &Spawn) {
        if self.reclaim(spawn) {
            return;
        }
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
        if wish.command.list == ExecList::Clean {
            return self.spawn_cleaner(wish, &name, &service, unit.survive_final_kill_signal);
        }
        if wish.command.list == ExecList::Start {
            self.make_mount_point(wish.unit).map_err(refused(code::EXEC))?;
        }
        let command = command_of(&service, wish.command)
            .cloned()
            .ok_or_else(|| Refused {
                error: format!("the unit has no command {:?} any more", wish.command),
                code: code::EXEC,
            })?;
        let root = root_of(&service, &command, wish.command.list)?;
        let account = Account::of(&service, &command)?;
        // `+` and `!` change as whom the command runs, not whose directories these are.
        let owner = Account::of_service(&service)?;
        directories::make_runtime_directories(&service, &owner)?;
        let cgroup =
            self.service_cgroup(&name, &service, wish.command.list, unit.survive_final_kill_signal)?;
        let invocation = self.invocation(&name, wish.new_invocation);

        let log = self.log_pipe(wish.unit, &name).map_err(refused(209))?;

        // StandardInput=fd:NAME and the like mean the same descriptors in every command.
        let listed = if wish.pass_fds || streams::wants_fds(&service.exec) {
            self.passed_fds(wish, &name, &service)
        } else {
            Vec::new()
        };
        let listed: Vec<(String, BorrowedFd<'_>)> = listed
            .into_iter()
            .filter_map(|(name, entry)| Some((name, self.store.fd(entry)?)))
            .collect();
        let passed = if wish.pass_fds { listed.as_slice() } else { &[] };
        let open_files = if wish.pass_fds {
            open_files::of(&service.open_files)?
        } else {
            Vec::new()
        };
        let names: Vec<String> = passed.iter().map(|(name, _)| name.clone()).collect();
        let remote = wish
            .connection
            .and_then(|token| self.remotes.get(&token).cloned());
        let mut preparations = directories::preparations(&service.exec, &owner)?;
        if matches!(
            wish.command.list,
            ExecList::Condition | ExecList::StartPre | ExecList::Start
        ) {
            preparations.extend(credentials::prepare(&name, &service.exec, &owner)?);
        }
        let connection = match wish.connection {
            Some(token) => self.connection(&name, token),
            None => self.only_port(wish.unit),
        };
        let stdio = streams::open_all(
            &service.exec,
            &streams::Available {
                log: &log,
                journal: journal::Journal {
                    socket: Path::new(journal::SOCKET),
                    unit: &name,
                    program: &command.path,
                },
                connection,
                named: &listed,
            },
        )
        .map_err(|(error, code)| Refused { error, code })?;

        let env = environment::build(&Facts {
            common: &self.environment,
            unit: &name,
            spawn: wish,
            main_pidfd_id: wish.main_pid.and_then(|pid| self.pidfd_id(pid)),
            service: &service,
            invocation: &invocation,
            user: account.user.as_ref(),
            journal_stream: journal::stream_of(&stdio, Path::new(journal::SOCKET)),
            // With files to open only the child can say how many there are.
            fd_names: if open_files.is_empty() { &names } else { &[] },
            remote: remote.as_ref(),
            monitored_invocation: wish
                .monitored
                .as_ref()
                .and_then(|monitored| self.invocations.get(&monitored.unit))
                .map(String::as_str),
        })
        .map_err(refused(code::EXEC))?;

        let mut files = match &root {
            Some(_) => program::candidates(&command.path),
            None => vec![program::find(&command.path).map_err(refused(code::EXEC))?],
        }
        .into_iter()
        .map(|file| c_string(path_text(&file)?));
        let file = files.next().unwrap_or_else(|| c_string(command.path.clone()))?;
        let arguments = softboot_unit::expand::expand(&command, &env);
        let fds: Vec<BorrowedFd<'_>> = passed.iter().map(|(_, fd)| *fd).collect();
        let [stdin, stdout, stderr] = &stdio;
        let mut plan = SpawnPlan::new(
            file,
            arguments.into_iter().map(c_string).collect::<Result<_, _>>()?,
            env.iter()
                .map(|(name, value)| c_string(format!("{name}={value}")))
                .collect::<Result<_, _>>()?,
            [stdin.as_fd(), stdout.as_fd(), stderr.as_fd()],
        );
        plan.listen_pid = !fds.is_empty();
        plan.fds = fds;
        plan.cgroup = Some(cgroup.as_fd());
        plan.alternatives = files.collect::<Result<_, _>>()?;
        plan.exec_pid = true;
        plan.open_files = open_files;
        plan.fd_names = c_string(names.join(":"))?;
        plan.preparations = preparations;
        if !command.full_privileges {
            let notify_socket = wish.notify_socket.then_some(Path::new(paths::NOTIFY_SOCKET));
            let view = view::of(&name, &service.exec, root.is_some(), notify_socket)?;
            plan.appearances = view.appearances;
            plan.inside = view.inside;
        }
        plan.root = root;
        context::apply(
            &mut plan,
            &service.exec,
            &account,
            &command,
            self.facts.service_nofile,
        )?;
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

    pub(super) fn adopt_spawned(
        &mut self,
        wish: &Spawn,
        unit: UnitName,
        spawned: softboot_sys::spawn::Spawned,
    ) -> Result<(), Refused> {
        crate::fault::place("spawned");
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

    /// The inode of a main process' pidfd, which is its number where the kernel has pidfs.
    fn pidfd_id(&self, pid: i32) -> Option<u64> {
        const PIDFS: i64 = 0x5049_4446;
        let process = self.processes.get(self.processes.find_pid(pid)?)?;
        let pidfd = self.store.fd(process.pidfd)?;
        let kind = rustix::fs::fstatfs(pidfd).ok()?.f_type as i64;
        let inode = rustix::fs::fstat(pidfd).ok()?.st_ino;
        (kind == PIDFS).then_some(inode)
    }
}

/// The root directory of this command. The API file systems in it are the administrator's to mount.
fn root_of(
    service: &ServiceSection,
    command: &ExecCommand,
    list: ExecList,
) -> Result<Option<CString>, Refused> {
    let root = service.exec.root_directory.clone().filter(|root| root != "/");
    let start_only = service.root_directory_start_only && list != ExecList::Start;
    if command.full_privileges || start_only {
        return Ok(None);
    }
    root.map(c_string).transpose()
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
        ExecList::Clean => return None,
    };
    list.get(usize::try_from(reference.index).ok()?)
}
