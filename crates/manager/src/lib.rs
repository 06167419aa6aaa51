//! softbootd: PID 1.
