//! Results of runs on disk: folders with a `report.json`.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};

use report::RunRecord;
use report::record::{self, ReadError};
use report::view::Baseline;

use crate::terminal;

/// The maximum size of a record.
const LARGEST_BYTES: u64 = 2_000_000_000;

/// A run on disk.
#[derive(Debug)]
pub struct RunFolder {
    /// The folder with its files.
    pub folder: PathBuf,
    /// Its `report.json`.
    pub path: PathBuf,
    pub record: RunRecord,
}

/// The folder or file is not a run.
#[derive(Debug, thiserror::Error)]
pub enum NotARun {
    #[error("{} cannot be read", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{} is larger than 2 GB", path.display())]
    TooLarge { path: PathBuf },
    #[error("{} cannot be used", path.display())]
    Malformed { path: PathBuf, source: ReadError },
    #[error("no run `{name}`: neither a report.json nor a folder with one, here or in {}", results.display())]
    Missing { name: String, results: PathBuf },
}

/// Finds a run by its report.json, its folder, or its name in `results`.
///
/// # Errors
/// The run does not exist, or its report.json cannot be read.
pub fn find(name: &Path, results: &Path) -> Result<RunFolder, NotARun> {
    let path = report_json(name, results).ok_or_else(|| NotARun::Missing {
        name: name.display().to_string(),
        results: results.to_owned(),
    })?;
    read(&path)
}

/// The path of a run's report.json, if it exists.
pub fn report_json(name: &Path, results: &Path) -> Option<PathBuf> {
    let places = [
        name.to_owned(),
        name.join("report.json"),
        results.join(name).join("report.json"),
    ];
    places.into_iter().find(|path| path.is_file())
}

/// Reads a report.json.
///
/// # Errors
/// The file cannot be read, or is not a record.
pub fn read(path: &Path) -> Result<RunFolder, NotARun> {
    let unreadable = |source| NotARun::Unreadable {
        path: path.to_owned(),
        source,
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > LARGEST_BYTES {
        return Err(NotARun::TooLarge {
            path: path.to_owned(),
        });
    }
    let text = live_config::read::file(path).map_err(unreadable)?;
    let record = record::read(&text).map_err(|source| NotARun::Malformed {
        path: path.to_owned(),
        source,
    })?;
    let folder = path.parent().map_or_else(PathBuf::new, Path::to_owned);
    Ok(RunFolder {
        folder,
        path: path.to_owned(),
        record,
    })
}

impl RunFolder {
    /// The content of a file of the run, if it exists.
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.folder.join(name)).ok()
    }

    /// The summary of the baseline that the run was compared with.
    pub fn baseline(&self) -> Option<Baseline> {
        baseline_in(&self.folder)
    }
}

/// The summary of a baseline that the folder of a run keeps.
pub fn baseline_in(folder: &Path) -> Option<Baseline> {
    Baseline::read(&std::fs::read(folder.join(Baseline::FILE)).ok()?)
}

/// Writes a file atomically.
///
/// # Errors
/// The file cannot be written.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error + Send + Sync>> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let written = || -> io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(".sparring-")
            .permissions(permissions())
            .tempfile_in(folder)?;
        io::Write::write_all(&mut file, bytes)?;
        file.persist(path)?;
        Ok(())
    };
    written().map_err(|error| {
        let why = terminal::plain(&error);
        format!("{} cannot be written: {why}", path.display()).into()
    })
}

/// The usual permissions of a new file; those of a temporary file would be for its owner only.
fn permissions() -> std::fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    std::fs::Permissions::from_mode(0o644)
}
