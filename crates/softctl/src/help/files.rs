//! The same for the verbs about unit files.

pub(crate) const LIST_UNIT_FILES: &str = "\
Examples:
  softctl list-unit-files
  softctl list-unit-files --type=socket --state=enabled
  softctl list-unit-files --root=/srv/image 'ssh*'";

pub(crate) const IS_ENABLED: &str = "\
Examples:
  softctl is-enabled lighttpd

Exit codes: 0 any unit is enabled or needs not be, 1 none is, 4 there are no such units.";

pub(crate) const ENABLE: &str = "\
Examples:
  softctl enable lighttpd
  softctl enable --now lighttpd.socket
  softctl enable --root=/srv/image lighttpd
  softctl enable /srv/app/app.service    link the file as well

Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed, 5 no such unit.";

pub(crate) const DISABLE: &str = "\
Examples:
  softctl disable lighttpd
  softctl disable --now lighttpd    stop it as well

Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed.";

pub(crate) const MASK: &str = "\
Examples:
  softctl mask lighttpd
  softctl mask --runtime --now lighttpd

Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed.";

pub(crate) const UNMASK: &str = "\
Examples:
  softctl unmask lighttpd

Exit codes: 0 done, also if nothing had to be, 4 not allowed.";

pub(crate) const REENABLE: &str = "\
Examples:
  softctl reenable lighttpd        after its Install section was changed
  softctl reenable --now lighttpd    restart it as well

What is as it should be is left alone.
Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed, 5 no such unit.";

pub(crate) const LINK: &str = "\
Examples:
  softctl link /srv/app/app.service
  softctl link --runtime ./app.socket    until the next reboot

Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed.";

pub(crate) const ADD_WANTS: &str = "\
Examples:
  softctl add-wants multi-user.target lighttpd
  softctl add-wants --runtime rescue sshd

softctl disable takes the links away again.
Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed, 5 no such unit.";

pub(crate) const ADD_REQUIRES: &str = "\
Examples:
  softctl add-requires graphical.target display

softctl disable takes the links away again.
Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed, 5 no such unit.";

pub(crate) const EDIT: &str = "\
Examples:
  softctl edit lighttpd            /etc/systemd/system/lighttpd.service.d/override.conf
  softctl edit --full lighttpd     a copy of the whole file
  softctl edit --runtime --drop-in=memory lighttpd
  printf '[Service]\\nNice=5\\n' | softctl edit --stdin lighttpd
  softctl edit --force --full new.service    a unit that is not there yet

Nothing is written when the text stays empty. softbootd reads the files again afterwards, and what is
wrong with the new text is said.
Environment: the editor is $SYSTEMD_EDITOR, $EDITOR or $VISUAL.
Exit codes: 0 done, 1 the editor failed, or the file cannot be written, 4 not allowed, 5 no such unit.";

pub(crate) const REVERT: &str = "\
Examples:
  softctl revert lighttpd          the undoing of softctl edit and softctl mask

A file that is the only one of its unit stays.
Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed.";

pub(crate) const GET_DEFAULT: &str = "\
Examples:
  softctl get-default
  softctl get-default --root=/srv/image

Exit codes: 0 printed, 1 it cannot be used, 5 there is no such unit.";

pub(crate) const SET_DEFAULT: &str = "\
Examples:
  softctl set-default multi-user
  softctl set-default --root=/srv/image graphical.target

It counts from the next boot or soft-reboot on; softctl default goes there now.
Exit codes: 0 done, also if nothing had to be, 1 it cannot be, 4 not allowed, 5 no such unit.";
