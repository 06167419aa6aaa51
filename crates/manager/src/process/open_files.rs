//! `OpenFile=`: what the child opens with the rights of PID 1 and passes on (semantics 3.11; systemd.service(5)).

use rustix::fs::OFlags;
use softboot_sys::spawn::OpenFile;
use softboot_unit::OpenFile as Setting;

use super::refused::{Refused, c_string};

/// The files of a main process.
pub(super) fn of(settings: &[Setting]) -> Result<Vec<OpenFile>, Refused> {
    let file = |setting: &Setting| {
        Ok(OpenFile {
            path: c_string(setting.path.clone())?,
            name: c_string(setting.name.clone())?,
            flags: flags(setting).bits().cast_signed(),
            optional: setting.graceful,
        })
    };
    settings.iter().map(file).collect()
}

fn flags(setting: &Setting) -> OFlags {
    let mut flags = if setting.read_only {
        OFlags::RDONLY
    } else {
        OFlags::RDWR
    };
    flags.set(OFlags::APPEND, setting.append);
    flags.set(OFlags::TRUNC, setting.truncate);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_to_unless_it_is_said_to_be_read() {
        let setting = |read_only, append, truncate| Setting {
            path: "/x".to_owned(),
            name: "x".to_owned(),
            read_only,
            append,
            truncate,
            graceful: false,
        };
        assert_eq!(flags(&setting(false, false, false)), OFlags::RDWR);
        assert_eq!(flags(&setting(true, false, false)), OFlags::RDONLY);
        assert_eq!(flags(&setting(false, true, false)), OFlags::RDWR | OFlags::APPEND);
        assert_eq!(flags(&setting(false, false, true)), OFlags::RDWR | OFlags::TRUNC);
    }
}
