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
        tracing::debug!("the limit of open files stays as it is");
    }
}

#[cfg(not(unix))]
pub fn raise_descriptors() {}
