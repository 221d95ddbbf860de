//! The storage of the embedded store's database. After one failed write or sync, redb refuses everything until
//! it is reopened, which happens here.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use redb::backends::InMemoryBackend;
use redb::{Database, StorageBackend};

type Open = Box<dyn Fn() -> Result<Opened, redb::Error> + Send + Sync>;

/// An open database and its path.
struct Opened {
    database: Database,
    /// `None` for storage that is not a file.
    file: Option<Lies>,
}

/// The identity of the file when it was opened: device and inode.
struct Lies {
    path: PathBuf,
    identity: (u64, u64),
}

impl Lies {
    fn at(path: &Path) -> io::Result<Self> {
        Ok(Self {
            path: path.to_owned(),
            identity: identity(path)?,
        })
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let found = std::fs::metadata(path)?;
    Ok((found.dev(), found.ino()))
}

/// A database that can be reopened.
pub(super) struct Medium {
    open: Open,
    /// `None` while it is reopened.
    opened: RwLock<Option<Opened>>,
}

impl Medium {
    /// Opens or creates the file. On reopening it must still exist: a new, empty one would lose every job
    /// silently.
    pub fn file(path: &Path) -> Result<Self, redb::Error> {
        let database = Database::create(path)?;
        let file = Some(Lies::at(path)?);
        let path = path.to_owned();
        Ok(Self {
            open: Box::new(move || {
                let database = Database::open(&path)?;
                let file = Some(Lies::at(&path)?);
                Ok(Opened { database, file })
            }),
            opened: RwLock::new(Some(Opened { database, file })),
        })
    }

    /// The same on other storage, of which `storage` returns a new handle on each call.
    pub fn on<S: StorageBackend>(
        storage: impl Fn() -> S + Send + Sync + 'static,
    ) -> Result<Self, redb::Error> {
        let open: Open = Box::new(move || {
            let database = Database::builder().create_with_backend(storage())?;
            let file = None;
            Ok(Opened { database, file })
        });
        let opened = RwLock::new(Some(open()?));
        Ok(Self { open, opened })
    }

    /// Runs `work` on the database.
    ///
    /// # Errors
    /// The error of `work`, or [`redb::Error::PreviousIo`] while it is reopened.
    pub fn with<T>(
        &self,
        work: impl FnOnce(&Database) -> Result<T, redb::Error>,
    ) -> Result<T, redb::Error> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        work(&opened.as_ref().ok_or(redb::Error::PreviousIo)?.database)
    }

    /// Whether the open file is still at its path. It, or its folder, may have been removed or replaced: then
    /// writes are lost with this process.
    ///
    /// # Errors
    /// It is not.
    pub fn check_in_place(&self) -> Result<(), redb::Error> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        let Some(Opened { file, .. }) = opened.as_ref() else {
            return Err(redb::Error::PreviousIo);
        };
        let Some(file) = file else { return Ok(()) };
        match identity(&file.path) {
            Ok(found) if found == file.identity => Ok(()),
            _ => Err(redb::Error::Io(io::Error::new(
                io::ErrorKind::NotFound,
                format!("{} was removed or replaced", file.path.display()),
            ))),
        }
    }

    /// Closes the database, with the lock on its file, and reopens it, which repairs it. Waits for running work
    /// on it.
    ///
    /// # Errors
    /// It cannot be opened or repaired. Work on it is then refused.
    pub fn reopen(&self) -> Result<(), redb::Error> {
        drop(self.put(None));
        let opened = (self.open)()?;
        drop(self.put(Some(opened)));
        Ok(())
    }

    fn put(&self, opened: Option<Opened>) -> Option<Opened> {
        let mut place = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut place, opened)
    }
}

/// Storage in this process's memory; clones share it.
#[derive(Debug, Clone)]
pub struct Memory(Arc<InMemoryBackend>);

impl Memory {
    #[expect(
        clippy::new_without_default,
        reason = "two of them are not the same memory"
    )]
    pub fn new() -> Self {
        Self(Arc::new(InMemoryBackend::new()))
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> Result<u64, std::io::Error> {
        StorageBackend::len(&*self.0)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), std::io::Error> {
        StorageBackend::read(&*self.0, offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), std::io::Error> {
        StorageBackend::set_len(&*self.0, len)
    }

    fn sync_data(&self) -> Result<(), std::io::Error> {
        StorageBackend::sync_data(&*self.0)
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), std::io::Error> {
        StorageBackend::write(&*self.0, offset, data)
    }
}
