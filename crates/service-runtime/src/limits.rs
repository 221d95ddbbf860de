//! Limits of the process whose effects would look like failures of its peers.

/// Raises the limit of open files from the soft to the hard limit, as Go's runtime does, and therefore k6. The soft
/// limit is low for programs that use `select`, which this one does not.
#[cfg(unix)]
pub fn raise_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live value of the right type, which is written and then read.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) == 0
        }
    };
    if !raised {
        tracing::debug!("the limit of open files is unchanged");
    }
}

#[cfg(not(unix))]
pub fn raise_descriptors() {}

/// The number of files that this process may have open, sockets among them. `None`: it is unknown.
#[cfg(unix)]
pub fn descriptors() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a live value of the right type.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 };
    known.then_some(limit.rlim_cur)
}

#[cfg(not(unix))]
pub fn descriptors() -> Option<u64> {
    None
}

/// A file that may not grow any more (`ulimit -f`) is an error of the write, as in Go's runtime, and therefore in k6. By
/// default it is a signal that ends the process, with everything that was measured.
#[cfg(unix)]
pub fn survive_full_files() {
    // SAFETY: to ignore a signal installs no handler; nothing else in this process sets this one.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(not(unix))]
pub fn survive_full_files() {}
