//! The environment of a service.

use fdstore::listen::parse;

const NAMES: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"];

/// Lines are the values of the variables; a line that is missing is a variable that is not set. The process is 42, its
/// pidfd id 7. What is promised to another process is nothing, and there are as many names as descriptors.
pub fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let values: Vec<&str> = text.split('\n').collect();
    let variable = |name: &str| {
        let position = NAMES.iter().position(|known| *known == name)?;
        values.get(position).map(|value| (*value).to_owned())
    };
    if let Ok(names) = parse(variable, 42, Some(7))
        && !names.is_empty()
    {
        assert_eq!(variable("LISTEN_PID").and_then(|pid| pid.parse().ok()), Some(42));
        assert_eq!(
            variable("LISTEN_FDS").and_then(|fds| fds.parse().ok()),
            Some(names.len())
        );
    }
}
