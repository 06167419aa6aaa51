//! The commands of units that are no services, as if they were: sockets have lists of their own, mounts run mount(8).

use softboot_unit::{
    Definition, ExecCommand, ExecContext, KindSection, MountSection, ServiceSection, SocketSection, UnitName,
};

/// The commands of a unit, and how they are run; `None` for a unit without any.
pub(crate) fn of(definition: &Definition) -> Option<Box<ServiceSection>> {
    match &definition.kind {
        KindSection::Service(service) => Some(Box::new(ServiceSection::clone(service))),
        KindSection::Socket(socket) => Some(Box::new(of_socket(socket))),
        KindSection::Mount(mount) => Some(Box::new(of_mount(mount))),
        _ => None,
    }
}

/// The slice of a unit that has processes.
pub(crate) fn slice_of(definition: &Definition) -> Option<&UnitName> {
    match &definition.kind {
        KindSection::Service(service) => Some(&service.slice),
        KindSection::Socket(socket) => Some(&socket.slice),
        KindSection::Mount(mount) => Some(&mount.slice),
        _ => None,
    }
}

/// What the commands of a unit run in.
pub(crate) fn context_of(definition: &Definition) -> Option<&ExecContext> {
    match &definition.kind {
        KindSection::Service(service) => Some(&service.exec),
        KindSection::Socket(socket) => Some(&socket.exec),
        KindSection::Mount(mount) => Some(&mount.exec),
        _ => None,
    }
}

fn of_socket(socket: &SocketSection) -> ServiceSection {
    ServiceSection {
        exec_start_pre: socket.exec_start_pre.clone(),
        exec_start_post: socket.exec_start_post.clone(),
        exec_stop: socket.exec_stop_pre.clone(),
        exec_stop_post: socket.exec_stop_post.clone(),
        slice: socket.slice.clone(),
        exec: socket.exec.clone(),
        kill: socket.kill.clone(),
        ..ServiceSection::default()
    }
}

fn of_mount(mount: &MountSection) -> ServiceSection {
    let mut options: Vec<&str> = mount.options.split(',').filter(|word| !word.is_empty()).collect();
    let mut start = vec!["/bin/mount"];
    if mount.sloppy_options {
        start.push("-s");
    }
    if mount.read_write_only {
        start.push("-w");
    }
    if !mount.fs_type.is_empty() {
        start.extend(["-t", mount.fs_type.as_str()]);
    }
    let joined = options.join(",");
    if !joined.is_empty() {
        start.extend(["-o", joined.as_str()]);
    }
    start.extend([mount.what.as_str(), mount.where_.as_str()]);
    options.insert(0, "remount");
    let remount = options.join(",");
    let reload = ["/bin/mount", "-o", &remount, &mount.what, &mount.where_];
    let mut stop = vec!["/bin/umount"];
    if mount.lazy_unmount {
        stop.push("-l");
    }
    if mount.force_unmount {
        stop.push("-f");
    }
    stop.push(&mount.where_);
    ServiceSection {
        exec_start: vec![command(&start)],
        exec_reload: vec![command(&reload)],
        exec_stop: vec![command(&stop)],
        slice: mount.slice.clone(),
        exec: mount.exec.clone(),
        kill: mount.kill.clone(),
        ..ServiceSection::default()
    }
}

fn command(words: &[&str]) -> ExecCommand {
    ExecCommand {
        path: words.first().copied().unwrap_or_default().to_owned(),
        argv: words.iter().map(|word| (*word).to_owned()).collect(),
        ignore_failure: false,
        // A dollar sign in a path is a dollar sign.
        no_substitution: true,
        full_privileges: false,
        keep_user: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_what_mount_8_is_told() {
        let name = UnitName::new("srv-data.mount").unwrap();
        let mut mount = MountSection::empty(&name);
        mount.what = "/dev/sda1".to_owned();
        mount.fs_type = "ext4".to_owned();
        mount.options = "noatime,ro".to_owned();
        mount.lazy_unmount = true;
        let service = of_mount(&mount);
        let words = |list: &[ExecCommand]| list[0].argv.join(" ");
        assert_eq!(
            words(&service.exec_start),
            "/bin/mount -t ext4 -o noatime,ro /dev/sda1 /srv/data"
        );
        assert_eq!(
            words(&service.exec_reload),
            "/bin/mount -o remount,noatime,ro /dev/sda1 /srv/data"
        );
        assert_eq!(words(&service.exec_stop), "/bin/umount -l /srv/data");
    }
}
