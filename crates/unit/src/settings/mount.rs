//! `[Mount]` (systemd.mount(5)).

use super::service::{kill, slice_name};
use super::unit::zero_is_never;
use super::{Applied, Fault, Outcome, RawMount, exec};
use crate::syntax::shown;
use crate::value::{boolean, octal, simple_path, time};

pub(super) fn apply(raw: &mut RawMount, key: &str, value: &str) -> Outcome {
    let mount = &mut raw.section;
    match key {
        "What" => mount.what = value.to_owned(),
        "Where" => {
            mount.where_ = simple_path(value)
                .ok_or_else(|| Fault::at(value, format!("{} is no absolute path", shown(value))))?;
        }
        "Type" => mount.fs_type = value.to_owned(),
        // One text, not a list: a drop-in says all of it again.
        "Options" => mount.options = value.to_owned(),
        "SloppyOptions" => mount.sloppy_options = boolean(value)?,
        "LazyUnmount" => mount.lazy_unmount = boolean(value)?,
        "ReadWriteOnly" => mount.read_write_only = boolean(value)?,
        "ForceUnmount" => mount.force_unmount = boolean(value)?,
        "DirectoryMode" => mount.directory_mode = octal(value)?,
        "TimeoutSec" => mount.timeout = zero_is_never(time(value)?),
        "Slice" => mount.slice = slice_name(value)?,
        _ => {
            return match kill(&mut mount.kill, key, value) {
                Some(outcome) => outcome,
                None => exec::apply(&mut mount.exec, key, value),
            };
        }
    }
    Ok(Applied::Done)
}
