//! The Linux system calls that softboot needs and the usual wrappers lack.
