//! Processes that this one starts, and that must not outlive it.

use std::process::Command;

/// Makes the system kill the child when the thread that starts it ends, for whatever reason.
#[cfg(target_os = "linux")]
pub fn end_with_parent(command: &mut Command) {
    use std::os::unix::process::CommandExt;

    let end = || {
        // SAFETY: prctl(2) with these arguments accesses no memory of this process.
        match unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) } {
            0 => Ok(()),
            _ => Err(std::io::Error::last_os_error()),
        }
    };
    // SAFETY: prctl(2) is a plain system call: it neither allocates nor takes a lock.
    unsafe { command.pre_exec(end) };
}

#[cfg(not(target_os = "linux"))]
pub fn end_with_parent(_command: &mut Command) {}
