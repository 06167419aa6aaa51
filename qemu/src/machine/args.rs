//! QEMU's arguments, one small function a theme.

use super::{Accel, ConsoleMode, Machine, PortForward};
use crate::machine::share::{Method, Share};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The sockets that QEMU connects to. The host listens before QEMU starts, so that no byte finds no reader.
#[derive(Debug, Clone)]
pub struct Sockets {
    /// The first serial port.
    pub console: PathBuf,
    /// The virtio port of the channel.
    pub events: PathBuf,
    /// The second serial port, for the channel where the guest has no virtio port.
    pub events_serial: PathBuf,
    /// QEMU's own control interface.
    pub control: PathBuf,
    /// One for each shared directory that has a server.
    pub shares: Vec<PathBuf>,
}

/// All arguments for a machine.
#[must_use]
pub fn all(machine: &Machine, sockets: &Sockets) -> Vec<OsString> {
    let mut arguments = base(machine.accel);
    arguments.extend(processor(machine.accel, machine.smp));
    arguments.extend(memory(machine.memory_mb, needs_shared_memory(&machine.shares)));
    arguments.extend(console(&sockets.console));
    arguments.extend(channel(&sockets.events, &sockets.events_serial));
    arguments.extend(control(&sockets.control));
    arguments.extend(network(&machine.ports));
    let mut servers = sockets.shares.iter();
    for (number, share) in machine.shares.iter().enumerate() {
        let server = match share.method {
            Method::Virtiofs { .. } => servers.next().map(PathBuf::as_path),
            Method::Plan9 => None,
        };
        arguments.extend(shared_directory(number, share, server));
    }
    let mut arguments: Vec<OsString> = arguments.into_iter().map(OsString::from).collect();
    arguments.extend(boot(&machine.kernel, machine.initrd.as_deref()));
    arguments.extend([
        "-append".into(),
        command_line(machine.console, &machine.append).into(),
    ]);
    arguments
}

fn words<const N: usize>(list: [&str; N]) -> Vec<String> {
    list.map(str::to_owned).to_vec()
}

/// The board without anything that was not asked for, which also makes the firmware fast.
fn base(accel: Accel) -> Vec<String> {
    let board = format!("q35,accel={accel}");
    // -no-reboot: a reboot ends QEMU, so that it can be noticed.
    words([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
        "-machine",
        &board,
    ])
}

fn processor(accel: Accel, count: u32) -> Vec<String> {
    let model = match accel {
        Accel::Kvm => "host",
        // Everything the emulator has but cmpxchg16b, which it gets wrong: kernel 6.12 oopses in its slab
        // allocator right after the first one.
        Accel::Tcg => "max,-cx16",
    };
    words(["-cpu", model, "-smp", &count.to_string()])
}

fn memory(megabytes: u32, shared: bool) -> Vec<String> {
    let mut arguments = words(["-m", &format!("{megabytes}M")]);
    if shared {
        // A virtiofs server maps the guest's memory, which must be a file that can be passed to it.
        let backend = format!("memory-backend-memfd,id=memory,size={megabytes}M,share=on");
        arguments.extend(words(["-object", &backend, "-machine", "memory-backend=memory"]));
    }
    arguments
}

fn needs_shared_memory(shares: &[Share]) -> bool {
    shares
        .iter()
        .any(|share| matches!(share.method, Method::Virtiofs { .. }))
}

fn console(socket: &Path) -> Vec<String> {
    let device = format!("socket,id=console,path={}", escaped(socket));
    words(["-chardev", &device, "-serial", "chardev:console"])
}

/// Both lines are always there; the guest takes the virtio port if it can.
fn channel(virtio: &Path, serial: &Path) -> Vec<String> {
    let virtio = format!("socket,id=events,path={}", escaped(virtio));
    let serial = format!("socket,id=events-serial,path={}", escaped(serial));
    let port = format!("virtserialport,chardev=events,name={}", super::EVENTS_PORT);
    let mut arguments = words(["-chardev", &serial, "-serial", "chardev:events-serial"]);
    arguments.extend(words([
        "-chardev",
        &virtio,
        "-device",
        "virtio-serial-pci",
        "-device",
        &port,
    ]));
    arguments
}

fn control(socket: &Path) -> Vec<String> {
    words(["-qmp", &format!("unix:{}", escaped(socket))])
}

/// User-mode network: the guest is 10.0.2.15, the host 10.0.2.2; forwarded ports listen on loopback only.
fn network(ports: &[PortForward]) -> Vec<String> {
    let mut backend = "user,id=network".to_owned();
    for port in ports {
        backend.push_str(&format!(",hostfwd=tcp:127.0.0.1:{}-:{}", port.host, port.guest));
    }
    // Without its boot ROM, which is never booted from and takes time to load.
    words([
        "-netdev",
        &backend,
        "-device",
        "virtio-net-pci,netdev=network,romfile=",
    ])
}

fn shared_directory(number: usize, share: &Share, server: Option<&Path>) -> Vec<String> {
    match (&share.method, server) {
        (Method::Virtiofs { .. }, Some(socket)) => {
            let backend = format!("socket,id=share{number},path={}", escaped(socket));
            let device = format!("vhost-user-fs-pci,chardev=share{number},tag={}", share.tag);
            words(["-chardev", &backend, "-device", &device])
        }
        _ => {
            let path = escaped(&share.directory);
            // mapped-xattr would need no privilege either, but hides the files' real owners from the host.
            let backend = format!("local,id=share{number},path={path},security_model=none,multidevs=remap");
            let device = format!("virtio-9p-pci,fsdev=share{number},mount_tag={}", share.tag);
            words(["-fsdev", &backend, "-device", &device])
        }
    }
}

fn boot(kernel: &Path, initrd: Option<&Path>) -> Vec<OsString> {
    let mut arguments = vec!["-kernel".into(), kernel.into()];
    if let Some(initrd) = initrd {
        arguments.extend(["-initrd".into(), OsString::from(initrd)]);
    }
    arguments
}

/// The kernel's command line; what the user appends comes last and so wins.
fn command_line(console: ConsoleMode, append: &[String]) -> String {
    let mut line = words([
        "console=ttyS0",
        // A failed kernel ends the machine at once: no run may go on in a damaged one.
        "oops=panic",
        "panic=-1",
        // The check of the timer interrupt is a race that a loaded emulator loses, and then panics.
        "no_timer_check",
        // The guest's units ask for these: the agent runs only in this machine, a shell only for a person.
        "softboot.vm",
    ]);
    if console == ConsoleMode::Interactive {
        line.push("softboot.console=1".to_owned());
    }
    line.extend(append.iter().cloned());
    line.join(" ")
}

/// A path within an option list: QEMU reads a doubled comma as a comma.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets() -> Sockets {
        Sockets {
            console: "/t/console".into(),
            events: "/t/events".into(),
            events_serial: "/t/serial".into(),
            control: "/t/control".into(),
            shares: vec!["/t/share".into()],
        }
    }

    fn line(machine: &Machine) -> String {
        let words = all(machine, &sockets());
        words
            .iter()
            .map(|word| word.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn the_emulator_never_offers_cmpxchg16b() {
        assert!(line(&Machine::builder("/k")).contains("-cpu max,-cx16 -smp 1"));
        assert!(line(&Machine::builder("/k").accel(Accel::Kvm)).contains("-cpu host"));
    }

    #[test]
    fn forwarded_ports_listen_on_loopback_only() {
        let line = line(&Machine::builder("/k").port(8080, 80).port(2222, 22));
        assert!(
            line.contains("hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=tcp:127.0.0.1:2222-:22"),
            "{line}"
        );
    }

    #[test]
    fn a_reboot_ends_the_machine() {
        let line = line(&Machine::builder("/k"));
        assert!(line.contains("-no-reboot") && line.contains("panic=-1"), "{line}");
    }

    #[test]
    fn the_console_is_the_first_serial_port_and_the_channel_the_second() {
        let line = line(&Machine::builder("/k"));
        let (first, second) = (line.find("chardev:console"), line.find("chardev:events-serial"));
        assert!(first.is_some() && first < second, "{line}");
    }

    #[test]
    fn appended_words_come_last() {
        let line = line(&Machine::builder("/k").initrd("/i").append("a=b").append("c"));
        assert!(line.ends_with("softboot.vm a=b c"), "{line}");
        assert!(line.contains("-kernel /k -initrd /i"), "{line}");
    }

    #[test]
    fn virtiofs_gets_memory_that_its_server_can_map() {
        let share = |method| Share {
            directory: "/d".into(),
            tag: "host".into(),
            method,
        };
        let virtiofs = line(&Machine::builder("/k").share(share(Method::Virtiofs { server: "/s".into() })));
        assert!(
            virtiofs.contains("memory-backend-memfd,id=memory,size=512M,share=on"),
            "{virtiofs}"
        );
        assert!(
            virtiofs.contains("path=/t/share") && virtiofs.contains("tag=host"),
            "{virtiofs}"
        );
        let plan9 = line(&Machine::builder("/k").share(share(Method::Plan9)));
        assert!(
            !plan9.contains("memfd") && plan9.contains("mount_tag=host"),
            "{plan9}"
        );
    }

    #[test]
    fn a_comma_in_a_path_does_not_end_the_option() {
        assert_eq!(escaped(Path::new("/a,b")), "/a,,b");
    }
}
