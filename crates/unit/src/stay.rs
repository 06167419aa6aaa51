//! Which sockets a soft-reboot may leave open though they have default dependencies: those that the next userspace would
//! open again just as they are.
//!
//! `SurviveSoftReboot=no` on a socket asks for the reference's way: closed and opened again. A socket with commands, or
//! with conditions, means that something is to be done or looked at in each userspace.

use crate::model::{Address, Definition, KindSection, LoadState, PortKind, SocketSection};

/// `now` has open ports; `next` is the same unit as the next userspace reads it. Where its nodes are is not looked at, see
/// [`nodes`].
pub fn stays_open(now: &Definition, next: &Definition) -> bool {
    let (KindSection::Socket(old), KindSection::Socket(new)) = (&now.kind, &next.kind) else {
        return false;
    };
    let willing = |definition: &Definition| {
        let unit = &definition.unit;
        definition.load == LoadState::Loaded
            && unit.default_dependencies
            && unit.survive_soft_reboot != Some(false)
            && !unit.stop_when_unneeded
    };
    willing(now)
        && willing(next)
        && next.unit.conditions.is_empty()
        && next.unit.asserts.is_empty()
        && old == new
        && !has_commands(new)
        && new.ports.iter().all(|port| is_socket_or_fifo(port.kind))
}

/// The paths of a socket unit's nodes and links: a userspace in which one of them is not there cannot use the port.
pub fn nodes(section: &SocketSection) -> impl Iterator<Item = &str> {
    let paths = section.ports.iter().filter_map(|port| match &port.address {
        Address::Path(path) => Some(path.as_str()),
        _ => None,
    });
    paths.chain(section.symlinks.iter().map(String::as_str))
}

fn has_commands(section: &SocketSection) -> bool {
    let lists = [
        &section.exec_start_pre,
        &section.exec_start_post,
        &section.exec_stop_pre,
        &section.exec_stop_post,
    ];
    lists.iter().any(|list| !list.is_empty())
}

fn is_socket_or_fifo(kind: PortKind) -> bool {
    match kind {
        PortKind::Stream
        | PortKind::Datagram
        | PortKind::SequentialPacket
        | PortKind::Netlink
        | PortKind::Fifo => true,
        PortKind::Special | PortKind::MessageQueue => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Port, UnitSection};
    use crate::name::UnitName;

    fn socket(change: impl FnOnce(&mut UnitSection, &mut SocketSection)) -> Definition {
        let name = UnitName::new("a.socket").unwrap();
        let (mut unit, mut section) = (UnitSection::empty(&name), SocketSection::empty(&name));
        section.ports.push(Port {
            kind: PortKind::Stream,
            address: Address::Path("/run/a".to_owned()),
        });
        change(&mut unit, &mut section);
        Definition {
            slice: None,
            name,
            aliases: Vec::new(),
            load: LoadState::Loaded,
            fragment: None,
            drop_ins: Vec::new(),
            diagnostics: Vec::new(),
            unit,
            kind: KindSection::Socket(section.into()),
        }
    }

    #[test]
    fn what_would_be_opened_again_as_it_is_stays_open() {
        let plain = socket(|_, _| {});
        assert!(stays_open(&plain, &plain));
        let told = socket(|unit, _| "another text".clone_into(&mut unit.description));
        assert!(stays_open(&plain, &told));
    }

    #[test]
    fn what_differs_or_does_something_is_closed() {
        let plain = socket(|_, _| {});
        let others = [
            socket(|_, section| section.backlog = 7),
            socket(|_, section| section.symlinks.push("/run/b".to_owned())),
            socket(|unit, _| unit.default_dependencies = false),
            socket(|unit, _| unit.survive_soft_reboot = Some(false)),
            socket(|unit, _| unit.stop_when_unneeded = true),
            Definition {
                load: LoadState::Masked,
                ..plain.clone()
            },
        ];
        for other in &others {
            assert!(
                !stays_open(&plain, other) && !stays_open(other, &plain),
                "{other:?}"
            );
        }
        let special = socket(|_, section| {
            section.ports.push(Port {
                kind: PortKind::Special,
                address: Address::Path("/dev/null".to_owned()),
            });
        });
        assert!(!stays_open(&special, &special));
    }

    #[test]
    fn nodes_are_paths_and_links() {
        let one = socket(|_, section| section.symlinks.push("/run/b".to_owned()));
        let KindSection::Socket(section) = &one.kind else {
            unreachable!()
        };
        assert_eq!(nodes(section).collect::<Vec<_>>(), ["/run/a", "/run/b"]);
    }
}
