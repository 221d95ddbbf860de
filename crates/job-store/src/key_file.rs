//! The key that a job store creates for itself, in a file beside it that only its owner may read.
//!
//! It protects a copy, backup or disk image of the store alone; both files together reveal everything.
//! `orchestration.store_key` keeps the two apart.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::seal::Key;

/// The key file of the store at `store`, if there is one.
///
/// # Errors
/// It cannot be read or does not contain a key.
pub(super) fn read(store: &Path) -> io::Result<Option<Key>> {
    let text = match std::fs::read_to_string(beside(store, ".key")) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let bytes = BASE64_STANDARD.decode(text.trim()).ok();
    let key = bytes.and_then(|bytes| bytes.try_into().ok()).map(Key::new);
    let wrong = || io::Error::new(io::ErrorKind::InvalidData, "the key file contains no key");
    key.ok_or_else(wrong).map(Some)
}

/// Creates a key file. When this returns, it is on disk: nothing may be sealed with a key that a power cut
/// could remove. Only the process that has the store open may call it.
///
/// # Errors
/// It cannot be written.
pub(super) fn make(store: &Path) -> io::Result<Key> {
    let key = Key::generate();
    let (path, new) = (beside(store, ".key"), beside(store, ".key.new"));
    // Left by a process that was killed here; it is just as secret, but not used.
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    writeln!(file, "{}", BASE64_STANDARD.encode(key.bytes()))?;
    file.sync_all()?;
    std::fs::rename(&new, &path)?;
    let folder = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    Ok(key)
}

fn beside(store: &Path, ending: &str) -> PathBuf {
    let mut name: OsString = store.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_created_once_and_only_its_owner_may_read_it() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let store = folder.path().join("jobs.redb");
        assert_eq!(read(&store).expect("no file is no error"), None);
        std::fs::write(beside(&store, ".key.new"), "half").expect("the folder is writable");
        let key = make(&store).expect("the folder is writable");
        assert_eq!(read(&store).expect("it is there"), Some(key));
        let path = folder.path().join("jobs.redb.key");
        let mode = std::fs::metadata(&path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(path, "no key").expect("it is ours");
        assert!(read(&store).is_err());
    }
}
