//! Checks the results folder before a run.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Finding;

/// Minimum free space, for samples, logs and reports of a long run.
const LEAST_FREE_BYTES: u64 = 100 << 20;

/// Results cannot be written there.
#[derive(Debug, thiserror::Error)]
#[error("results cannot be written to {}: {why}; use --results FOLDER", path.display())]
pub struct Unusable {
    path: PathBuf,
    why: io::Error,
}

/// Creates the folder if it is missing, and writes a temporary file there.
///
/// # Errors
/// It cannot be created or written to.
pub fn probe(folder: &Path) -> Result<(), Unusable> {
    let written = std::fs::create_dir_all(folder).and_then(|()| {
        let mut file = tempfile::Builder::new()
            .prefix(".sparring-")
            .tempfile_in(folder)?;
        file.write_all(b"probe")
    });
    written.map_err(|why| Unusable {
        path: folder.to_owned(),
        // Without the name of the temporary file.
        why: why.kind().into(),
    })
}

/// Whether results can be written there, and whether there is enough space for them.
pub fn finding(folder: &Path) -> Finding {
    let was_there = folder.exists();
    let found = match probe(folder) {
        Ok(()) => judge(folder, free_bytes(folder)),
        Err(unusable) => Finding::problem("disk", unusable.to_string()),
    };
    if !was_there {
        // The check leaves nothing behind; a folder that is not empty belongs to another process.
        drop(std::fs::remove_dir(folder));
    }
    found
}

fn judge(folder: &Path, free: Option<u64>) -> Finding {
    let folder = folder.display();
    let Some(free) = free else {
        return Finding::sound("disk", format!("{folder} is writable"));
    };
    let megabytes = free >> 20;
    if free >= LEAST_FREE_BYTES {
        let said = format!("{folder} is writable, {megabytes} MB are free");
        return Finding::sound("disk", said);
    }
    let said = format!("{folder} has only {megabytes} MB left, less than a long run writes");
    Finding::problem("disk", said).fixed_by("make room, or use --results FOLDER")
}

/// The space that a user may still write there.
#[cfg(unix)]
#[allow(
    clippy::unnecessary_cast,
    reason = "the width of these figures is the platform's"
)]
fn free_bytes(folder: &Path) -> Option<u64> {
    use std::os::unix::ffi::OsStrExt;
    let path = std::ffi::CString::new(folder.as_os_str().as_bytes()).ok()?;
    let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: the path ends with a zero and outlives the call, which fills the structure when it
    // returns 0; only then it is read.
    let found = unsafe {
        match libc::statvfs(path.as_ptr(), found.as_mut_ptr()) {
            0 => found.assume_init(),
            _ => return None,
        }
    };
    Some((found.f_bavail as u64).saturating_mul(found.f_frsize as u64))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_is_a_problem() {
        let here = Path::new("results");
        assert!(!judge(here, Some(LEAST_FREE_BYTES)).is_problem);
        assert!(!judge(here, None).is_problem);
        let full = judge(here, Some(LEAST_FREE_BYTES - 1));
        assert!(full.is_problem && full.said.contains("99 MB"), "{full:?}");
        let folder = tempfile::tempdir().expect("a temporary folder");
        assert!(free_bytes(folder.path()).is_some_and(|bytes| bytes > 0));
        assert!(finding(Path::new("/dev/null/results")).is_problem);
    }

    #[test]
    fn a_folder_is_made_and_left_empty() {
        let parent = tempfile::tempdir().expect("a temporary folder");
        let folder = parent.path().join("a/b");
        probe(&folder).expect("usable");
        let left = std::fs::read_dir(&folder).expect("it was made").count();
        assert_eq!(left, 0);
    }

    #[test]
    fn an_impossible_folder_is_named_with_a_remedy() {
        let error = probe(Path::new("/dev/null/results")).expect_err("a device is no folder");
        let message = error.to_string();
        assert!(message.contains("/dev/null/results"), "{message}");
        assert!(message.contains("--results"), "{message}");
    }
}
