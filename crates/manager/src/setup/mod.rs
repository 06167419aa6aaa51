//! What PID 1 sets up before anything else runs, or adopts where something before it already has.

mod host;
mod mounts;

pub(crate) use host::{
    disable_ctrl_alt_del, kernel_command_line, original_limits, prepare_host, stage_os_release,
};
pub(crate) use mounts::{is_mount_point, mount_api_file_systems};

/// True in a container: its manager says so in the environment (the convention of container managers).
pub(crate) fn in_container() -> bool {
    std::env::var_os("container").is_some_and(|value| !value.is_empty())
}
