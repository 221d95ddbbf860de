//! Limits of the process that would be taken for failures of what it talks to.

/// Raises the limit of open files from what is usual to what is allowed, as Go's runtime and with it
/// k6 does. Nothing here waits for descriptors with `select`, for whose sake the usual limit is low.
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
