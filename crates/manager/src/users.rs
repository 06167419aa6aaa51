//! Users and groups from /etc/passwd and /etc/group, read directly: a name service may block, PID 1 may not.

use std::fs;

/// What a user's line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) home: String,
    pub(crate) shell: String,
}

/// Finds a user by name or number.
pub(crate) fn user(wanted: &str) -> Result<User, String> {
    let text = read("/etc/passwd")?;
    find_user(&text, wanted).ok_or_else(|| format!("no user {wanted:?} in /etc/passwd"))
}

/// Finds a group's number by name or number.
pub(crate) fn group(wanted: &str) -> Result<u32, String> {
    if let Ok(gid) = wanted.parse() {
        return Ok(gid);
    }
    let text = read("/etc/group")?;
    fields(&text)
        .find(|line| line.first() == Some(&wanted))
        .and_then(|line| line.get(2)?.parse().ok())
        .ok_or_else(|| format!("no group {wanted:?} in /etc/group"))
}

/// The supplementary groups of a user: every group whose member list names it, and its own.
pub(crate) fn groups_of(user: &User) -> Vec<u32> {
    let mut groups = vec![user.gid];
    if let Ok(text) = read("/etc/group") {
        groups.extend(members(&text, &user.name));
    }
    groups.sort_unstable();
    groups.dedup();
    groups
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("reading {path}: {error}"))
}

fn fields(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().map(|line| line.split(':').collect())
}

fn find_user(text: &str, wanted: &str) -> Option<User> {
    let number: Option<u32> = wanted.parse().ok();
    let known = fields(text).find_map(|line| {
        let user = User {
            name: (*line.first()?).to_owned(),
            uid: line.get(2)?.parse().ok()?,
            gid: line.get(3)?.parse().ok()?,
            home: (*line.get(5)?).to_owned(),
            shell: (*line.get(6)?).to_owned(),
        };
        (user.name == wanted || number == Some(user.uid)).then_some(user)
    });
    // A number needs no line: the process runs with it, in the group of the same number.
    known.or_else(|| {
        let uid = number?;
        Some(User {
            name: wanted.to_owned(),
            uid,
            gid: uid,
            home: "/".to_owned(),
            shell: "/bin/sh".to_owned(),
        })
    })
}

fn members<'a>(text: &'a str, user: &'a str) -> impl Iterator<Item = u32> + 'a {
    fields(text)
        .filter(move |line| {
            line.get(3)
                .is_some_and(|list| list.split(',').any(|member| member == user))
        })
        .filter_map(|line| line.get(2)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nbroken line\nwww:x:33:34:w:/var/www:/bin/false\n";

    #[test]
    fn a_user_is_found_by_name_and_by_number() {
        assert_eq!(find_user(PASSWD, "www").map(|u| (u.uid, u.gid)), Some((33, 34)));
        assert_eq!(find_user(PASSWD, "33").map(|u| u.name), Some("www".to_owned()));
        assert_eq!(find_user(PASSWD, "nobody-here"), None);
    }

    #[test]
    fn a_number_without_a_line_is_still_a_user() {
        assert_eq!(
            find_user(PASSWD, "4711").map(|u| (u.uid, u.gid)),
            Some((4711, 4711))
        );
    }

    #[test]
    fn members_are_whole_names() {
        let groups = "adm:x:4:www\nx:x:5:wwwx,y\nz:x:6:y,www\nbad\n";
        assert_eq!(members(groups, "www").collect::<Vec<_>>(), vec![4, 6]);
    }
}
