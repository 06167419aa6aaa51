//! The Linux system calls that softboot needs and the usual wrappers lack, or get wrong for PID 1.
//!
//! | module | what | why not rustix or nix |
//! |---|---|---|
//! | [`spawn`] | clone3 into a cgroup with a pidfd, then exec | no wrapper; between the two nothing may allocate |
//! | [`crash`] | execveat from the handler of a fault, with a deadline that crosses an exec | handlers are unsafe |
//! | [`exec`] | execveat on a descriptor | rustix keeps it in its unstable runtime module |
//! | [`fault`] | breaking a program on purpose, for tests of [`crash`] | a wild write is unsafe |
//! | [`inherited`] | owning the descriptors a program was started with | making an owner from a number is unsafe |
//! | [`kcmp`] | are two descriptors one open file description | no wrapper |
//! | [`kexec`] | loading the kernel that reboot(2) starts | no wrapper |
//! | [`memory`] | giving free memory back to the kernel | the allocator's own call |
//! | [`pidfd`] | the 64-bit id of a pidfd | a rule about a file system, not a call |
//! | [`recv`] | recvmsg with SCM_RIGHTS, SCM_CREDENTIALS and SCM_PIDFD | SCM_PIDFD is missing |
//! | [`signals`] | blocking all signals, signalfd | rustix has no signalfd; masks need libc's set |
//! | [`wait`] | looking at a zombie before reaping it | rustix hides the siginfo's pid |
//! | [`net`] | bringing loopback up | an ioctl with a struct |
//! | [`loop_device`], [`device_mapper`], [`watchdog`] | a file as a device, taking one apart, keeping the reset away | ioctls with structs |
//! | [`namespace`] | a mount table of one's own | unsafe in rustix, for flags that this does not use |
//! | [`swap`] | swapoff | no wrapper |
//! | [`terminal`] | what a service leaves on a terminal | TIOCVHANGUP and VT_DISALLOCATE have no wrapper |
//!
//! Not here, because rustix has it: epoll, timerfd, inotify, mount, reboot, pidfd_open, pidfd_send_signal, prctl.

pub mod command;
pub mod crash;
pub mod device_mapper;
pub mod exec;
pub mod fault;
pub mod ffi;
pub mod inherited;
pub mod kcmp;
pub mod kexec;
pub mod loop_device;
pub mod memory;
pub mod mqueue;
pub mod namespace;
pub mod net;
pub mod pidfd;
pub mod recv;
pub mod signals;
pub mod sockopt;
pub mod spawn;
pub mod swap;
pub mod terminal;
pub mod vsock;
pub mod wait;
pub mod watchdog;
