//! Descriptors that a manager passed: LISTEN_FDS and its companions (semantics 1.1; sd_listen_fds(3)).

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};

use rustix::process::{PidfdFlags, getpid, pidfd_open};

use crate::adopt::{Adopt, AdoptError, missing, suits};
use crate::name::{FdName, NameError};

/// The first passed descriptor.
const START: i32 = 3;
/// No process can have more: the kernel's own bound for RLIMIT_NOFILE (fs.nr_open) is lower than this unless an
/// administrator raised it.
const MAX: i32 = 1 << 20;

/// Why the passed descriptors were not taken.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// LISTEN_FDS is not a number from 1 to 1,048,576.
    #[error("LISTEN_FDS={0:?} is not a count of descriptors")]
    Count(String),
    /// There are not as many names as descriptors.
    #[error("LISTEN_FDNAMES has {names} names for {fds} descriptors")]
    Names {
        /// Names given.
        names: usize,
        /// Descriptors given.
        fds: usize,
    },
    /// A name is not one.
    #[error("LISTEN_FDNAMES: {0}")]
    Name(#[from] NameError),
    /// They cannot be taken: somebody has them already.
    #[error("taking the passed descriptors: {0}")]
    Take(#[from] io::Error),
    /// A number that was promised is not open.
    #[error("LISTEN_FDS promises descriptor {0}, which is not open")]
    Closed(i32),
}

/// What the environment says was passed: names, for the descriptors 3, 4, …
///
/// `variable` looks a variable up, `pid` and `pidfd_id` are the caller's own. Nothing is passed when LISTEN_PID is
/// another process, or LISTEN_PIDFDID is another process' and the own id is known.
pub fn parse(
    variable: impl Fn(&str) -> Option<String>,
    pid: i32,
    pidfd_id: Option<u64>,
) -> Result<Vec<FdName>, ListenError> {
    let for_us = variable("LISTEN_PID").and_then(|text| text.parse().ok()) == Some(pid);
    let same_id = match (
        variable("LISTEN_PIDFDID").and_then(|text| text.parse::<u64>().ok()),
        pidfd_id,
    ) {
        (Some(told), Some(own)) => told == own,
        _ => true,
    };
    if !for_us || !same_id {
        return Ok(Vec::new());
    }
    let Some(count) = variable("LISTEN_FDS") else {
        return Ok(Vec::new());
    };
    let fds = count
        .parse::<i32>()
        .ok()
        .filter(|fds| (1..=MAX).contains(fds) && count.bytes().all(|byte| byte.is_ascii_digit()))
        .and_then(|fds| usize::try_from(fds).ok())
        .ok_or(ListenError::Count(count))?;
    let Some(names) = variable("LISTEN_FDNAMES") else {
        return Ok(vec![FdName::unknown(); fds]);
    };
    let names: Vec<&str> = names.split(':').collect();
    if names.len() != fds {
        return Err(ListenError::Names {
            names: names.len(),
            fds,
        });
    }
    Ok(names.into_iter().map(FdName::new).collect::<Result<_, _>>()?)
}

/// The descriptors that a manager passed to this process, in its order. They are closed on exec.
#[derive(Debug, Default)]
pub struct ListenFds(Vec<(FdName, OwnedFd)>);

impl ListenFds {
    /// Takes them; none when nothing was passed. Call it once, before the program opens descriptors of its own.
    pub fn from_env() -> Result<ListenFds, ListenError> {
        let pid = getpid();
        let own_id = pidfd_open(pid, PidfdFlags::empty())
            .ok()
            .and_then(|pidfd| softboot_sys::pidfd::id(&pidfd));
        let names = parse(
            |name| std::env::var(name).ok(),
            pid.as_raw_nonzero().get(),
            own_id,
        )?;
        if names.is_empty() {
            return Ok(ListenFds::default());
        }
        let numbers = || (START..).take(names.len());
        let mut taken = softboot_sys::inherited::take(numbers())?;
        let mut fds = Vec::with_capacity(names.len());
        for (number, name) in numbers().zip(names.iter()) {
            fds.push((
                name.clone(),
                taken.remove(&number).ok_or(ListenError::Closed(number))?,
            ));
        }
        Ok(ListenFds(fds))
    }
}

impl ListenFds {
    /// Takes the first descriptor with this name, as a `T`. What is not a `T` stays, and the reason says what it is.
    pub fn take<T: Adopt>(&mut self, name: &str) -> Result<T, AdoptError> {
        let position = self
            .0
            .iter()
            .position(|(known, _)| known.as_str() == name)
            .ok_or_else(|| missing(name))?;
        if let Some((_, fd)) = self.0.get(position) {
            suits::<T>(name, fd.as_fd())?;
        }
        Ok(T::from(self.0.remove(position).1))
    }

    /// The names of those that are still here, in the manager's order.
    pub fn names(&self) -> impl Iterator<Item = &FdName> {
        self.0.iter().map(|(name, _)| name)
    }
}

impl IntoIterator for ListenFds {
    type Item = (FdName, OwnedFd);
    type IntoIter = std::vec::IntoIter<(FdName, OwnedFd)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(env: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let variable = |wanted: &str| {
            env.iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, v)| (*v).to_owned())
        };
        parse(variable, 42, Some(7))
            .map(|names| names.iter().map(ToString::to_string).collect())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn the_rules_of_semantics_1_1_hold() {
        let good = [
            ("LISTEN_PID", "42"),
            ("LISTEN_FDS", "2"),
            ("LISTEN_FDNAMES", "a:b"),
        ];
        assert_eq!(names(&good), Ok(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(names(&good[..2]), Ok(vec!["unknown".to_owned(); 2]));
        assert_eq!(names(&good[1..]), Ok(vec![]), "no LISTEN_PID");
        assert_eq!(names(&[("LISTEN_PID", "41"), good[1]]), Ok(vec![]));
        assert_eq!(names(&[good[0], good[1], ("LISTEN_PIDFDID", "8")]), Ok(vec![]));
        assert!(names(&[good[0], good[1], ("LISTEN_PIDFDID", "7")]).is_ok_and(|names| names.len() == 2));
        assert_eq!(names(&[good[0]]), Ok(vec![]));
    }

    #[test]
    fn what_is_of_another_kind_stays_and_the_next_of_that_name_comes_after_the_first() {
        let first = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let second = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [&first, &second].map(|listener| listener.local_addr().unwrap().port());
        let name = FdName::new("http").unwrap();
        let mut fds = ListenFds(vec![(name.clone(), first.into()), (name, second.into())]);
        assert!(matches!(
            fds.take::<std::net::UdpSocket>("http"),
            Err(AdoptError::Mismatch { .. })
        ));
        for port in ports {
            let listener: std::net::TcpListener = fds.take("http").unwrap();
            assert_eq!(listener.local_addr().unwrap().port(), port);
        }
        assert!(matches!(
            fds.take::<OwnedFd>("http"),
            Err(AdoptError::Missing { .. })
        ));
    }

    #[test]
    fn contradictions_are_errors() {
        let pid = ("LISTEN_PID", "42");
        for count in ["0", "-1", "+1", "x", "2147483644", "2147483647", ""] {
            assert!(names(&[pid, ("LISTEN_FDS", count)]).is_err(), "{count:?}");
        }
        assert!(
            names(&[pid, ("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "a:b")])
                .unwrap_err()
                .contains("2 names for 1")
        );
        assert!(names(&[pid, ("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "\u{e4}")]).is_err());
    }
}
