//! Archives of tests: a tar file with the script, all that it opens and imports, and its options.
//!
//! `metadata.json` describes the archive, `data` is the script, `file/` and `https/` hold files by
//! the path of their URL, including the script as a hard link to `data`. k6 can read these archives,
//! and archives of k6 can be read here.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read, Write};
use std::time::SystemTime;

use serde_json::{Value, json};
use tar::{Builder, EntryType, Header};

/// A test with everything that it needs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Archive {
    /// The consolidated options, without derived scenarios.
    pub options: Value,
    /// URL of the script, such as `file:///tests/main.js`.
    pub filename: String,
    /// URL of the folder that relative paths start from.
    pub pwd: String,
    /// The script's environment; `None` when it was left out.
    pub env: Option<BTreeMap<String, String>>,
    /// `extended` or `base`.
    pub compatibility_mode: String,
    /// The version that wrote it.
    pub k6_version: String,
    /// The script.
    pub data: Vec<u8>,
    /// All files by URL (`file:///...`, `https://...`), the script not among them.
    pub files: BTreeMap<String, Vec<u8>>,
}

/// The reason why an archive cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The tar file.
    #[error("the archive cannot be {doing}: {source}")]
    Tar {
        /// `read` or `written`.
        doing: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// A required entry is missing.
    #[error("the archive has no {0}; was it made by `archive`?")]
    Missing(&'static str),
    /// `metadata.json` is not valid.
    #[error("metadata.json of the archive: {0}")]
    Metadata(String),
    /// A file that cannot be archived.
    #[error("'{0}' is neither a file:// nor an https:// URL and cannot be archived")]
    Url(String),
}

/// Offset of the magic number in a tar file.
const MAGIC_AT: usize = 257;

impl Archive {
    /// Whether these first bytes are those of an archive.
    pub fn is_archive(start: &[u8]) -> bool {
        start
            .get(MAGIC_AT..MAGIC_AT + 5)
            .is_some_and(|magic| magic == b"ustar")
    }

    /// Writes the archive. Names of home directories are replaced by `nobody`.
    ///
    /// # Errors
    /// When `out` fails, or a file has a URL of another scheme.
    pub fn write(&self, out: impl Write) -> Result<(), ArchiveError> {
        let filename = anonymous(&self.filename);
        let mut entries = BTreeMap::new();
        for (url, content) in &self.files {
            entries.insert(entry_path(&anonymous(url))?, Some(content));
        }
        entries.insert(entry_path(&filename)?, None);
        let written = self.write_entries(Builder::new(out), &filename, &entries);
        written.map_err(|source| ArchiveError::Tar {
            doing: "written",
            source,
        })
    }

    fn write_entries<W: Write>(
        &self,
        mut tar: Builder<W>,
        filename: &str,
        entries: &BTreeMap<String, Option<&Vec<u8>>>,
    ) -> io::Result<()> {
        let metadata = self.metadata(filename)?;
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let now = now.unwrap_or_default().as_secs();
        let put = |tar: &mut Builder<W>, path: &str, content: &[u8]| {
            let mut header = header(EntryType::Regular, 0o644, now);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, path, content)
        };
        put(&mut tar, "metadata.json", metadata.as_bytes())?;
        put(&mut tar, "data", &self.data)?;
        for folder in folders(entries.keys()) {
            let mut header = header(EntryType::Directory, 0o755, now);
            tar.append_data(&mut header, folder, io::empty())?;
        }
        for (path, content) in entries {
            match content {
                Some(content) => put(&mut tar, path, content)?,
                None => {
                    let mut header = header(EntryType::Link, 0, 0);
                    tar.append_link(&mut header, path, "data")?;
                }
            }
        }
        tar.into_inner()?.flush()
    }

    fn metadata(&self, filename: &str) -> io::Result<String> {
        let metadata = json!({
            "type": "js",
            "options": self.options,
            "filename": filename,
            "pwd": anonymous(&self.pwd),
            "env": self.env,
            "compatibilityMode": self.compatibility_mode,
            "k6version": self.k6_version,
            "goos": std::env::consts::OS,
        });
        Ok(serde_json::to_string_pretty(&metadata)? + "\n")
    }

    /// Reads an archive; unknown entries are ignored.
    ///
    /// # Errors
    /// When it is not a tar file, or lacks its metadata or script.
    pub fn read(input: impl Read) -> Result<Self, ArchiveError> {
        let entries = read_entries(input).map_err(|source| ArchiveError::Tar {
            doing: "read",
            source,
        })?;
        let mut archive = Self::default();
        let (mut data, mut metadata) = (None, None);
        for (path, content) in entries {
            match path.as_str() {
                "data" => data = Some(content),
                "metadata.json" => metadata = Some(content),
                _ => {
                    if let Some(url) = entry_url(&path) {
                        archive.files.insert(url, content);
                    }
                }
            }
        }
        archive.data = data.ok_or(ArchiveError::Missing("data"))?;
        archive.read_metadata(&metadata.ok_or(ArchiveError::Missing("metadata.json"))?)?;
        archive.files.remove(&archive.filename);
        Ok(archive)
    }

    fn read_metadata(&mut self, text: &[u8]) -> Result<(), ArchiveError> {
        let bad = |why: String| ArchiveError::Metadata(why);
        let metadata: Value = serde_json::from_slice(text).map_err(|e| bad(e.to_string()))?;
        if metadata["type"] != "js" {
            let kind = &metadata["type"];
            return Err(bad(format!(
                "the type {kind} is not supported, only \"js\" is"
            )));
        }
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        self.filename = text("filename");
        if self.filename.is_empty() {
            return Err(bad("it names no script ('filename')".to_owned()));
        }
        self.pwd = text("pwd");
        self.compatibility_mode = text("compatibilityMode");
        self.k6_version = text("k6version");
        self.options = metadata["options"].clone();
        self.env = serde_json::from_value(metadata["env"].clone())
            .map_err(|error| bad(format!("'env': {error}")))?;
        Ok(())
    }
}

/// All files of a tar file by path; hard links to `data` are left out.
fn read_entries(input: impl Read) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut tar = tar::Archive::new(input);
    let mut files = Vec::new();
    for entry in tar.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let mut content = Vec::new();
        entry.read_to_end(&mut content)?;
        files.push((path, content));
    }
    Ok(files)
}

fn header(kind: EntryType, mode: u32, modified_s: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_mtime(modified_s);
    header.set_size(0);
    header
}

/// All folders above these paths, outer ones first.
fn folders<'a>(paths: impl Iterator<Item = &'a String>) -> BTreeSet<&'a str> {
    let mut folders = BTreeSet::new();
    for path in paths {
        let ends = path.match_indices('/').map(|(at, _)| at);
        folders.extend(ends.map(|at| &path[..at]));
    }
    folders
}

fn entry_path(url: &str) -> Result<String, ArchiveError> {
    let of = |scheme: &str, folder: &str| {
        let path = url.strip_prefix(scheme)?;
        Some(format!("{folder}/{path}"))
    };
    of("file:///", "file")
        .or_else(|| of("https://", "https"))
        .ok_or_else(|| ArchiveError::Url(url.to_owned()))
}

fn entry_url(path: &str) -> Option<String> {
    if let Some(rest) = path.strip_prefix("file/") {
        return Some(format!("file:///{rest}"));
    }
    let rest = path.strip_prefix("https/")?;
    Some(format!("https://{rest}"))
}

/// The URL without the user name of a home directory.
fn anonymous(url: &str) -> String {
    for homes in ["file:///home/", "file:///Users/"] {
        if let Some(rest) = url.strip_prefix(homes) {
            let below = rest.find('/').map_or("", |at| &rest[at..]);
            return format!("{homes}nobody{below}");
        }
    }
    url.to_owned()
}
