//! The unit in which a scenario runs: a survivor by the whole recipe (semantics 7.9).

/// Its name; a scenario counts it among the survivors.
pub(super) const NAME: &str = "softboot-scenario.service";

/// Its file.
pub(super) fn text(arguments: &[String]) -> String {
    // Names of scenarios and numbers only, so no quoting.
    let arguments = arguments.join(" ");
    format!(
        "[Unit]\n\
         Description=The scenario\n\
         DefaultDependencies=no\n\
         SurviveFinalKillSignal=yes\n\
         IgnoreOnIsolate=yes\n\
         After=basic.target\n\
         Conflicts=reboot.target kexec.target poweroff.target halt.target rescue.target emergency.target\n\
         Before=shutdown.target rescue.target emergency.target\n\
         \n\
         [Service]\n\
         # Once only: a later boot must not start it again.\n\
         Type=simple\n\
         RemainAfterExit=yes\n\
         ExecStart=/run/host/softboot-scenario --out /run/host {arguments}\n"
    )
}
