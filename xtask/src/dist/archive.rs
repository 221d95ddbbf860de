//! A tar.gz whose bytes depend only on its content.

use std::io::{self, Write};

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

/// A file in the archive.
#[derive(Debug)]
pub struct Entry {
    name: String,
    bytes: Vec<u8>,
    mode: u32,
}

impl Entry {
    pub fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self {
            name: name.into(),
            bytes,
            mode: 0o644,
        }
    }

    pub fn executable(self) -> Self {
        Self {
            mode: 0o755,
            ..self
        }
    }
}

/// Packs the entries into `folder`, in the order of their names; all have the modification time `changed_s`.
///
/// # Errors
/// A name is too long for the format.
pub fn pack(folder: &str, mut entries: Vec<Entry>, changed_s: u64) -> io::Result<Vec<u8>> {
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    let zip = GzBuilder::new().write(Vec::new(), Compression::default());
    let mut tar = Builder::new(zip);
    for entry in entries {
        let mut header = Header::new_gnu();
        header.set_entry_type(EntryType::Regular);
        header.set_size(entry.bytes.len() as u64);
        header.set_mode(entry.mode);
        header.set_mtime(changed_s);
        let path = format!("{folder}/{}", entry.name);
        tar.append_data(&mut header, path, entry.bytes.as_slice())?;
    }
    let mut zip = tar.into_inner()?;
    zip.flush()?;
    zip.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::read::GzDecoder;

    fn entries() -> Vec<Entry> {
        vec![
            Entry::new("man/man1/b.1", b"page".to_vec()),
            Entry::new("a", b"binary".to_vec()).executable(),
        ]
    }

    #[test]
    fn an_archive_holds_its_files_with_their_modes_in_one_folder() {
        let packed = pack("it-1", entries(), 7).expect("it fits");
        let mut archive = tar::Archive::new(GzDecoder::new(packed.as_slice()));
        let mut found = Vec::new();
        for entry in archive.entries().expect("a tar") {
            let mut entry = entry.expect("sound");
            let mut text = String::new();
            io::Read::read_to_string(&mut entry, &mut text).expect("text");
            let header = entry.header();
            let (mode, time) = (header.mode(), header.mtime());
            let path = entry.path().expect("a path").display().to_string();
            found.push((path, text, mode.expect("a mode"), time.expect("a time")));
        }
        let expected = [
            ("it-1/a", "binary", 0o755, 7),
            ("it-1/man/man1/b.1", "page", 0o644, 7),
        ];
        let expected =
            expected.map(|(path, text, mode, time)| (path.to_owned(), text.to_owned(), mode, time));
        assert_eq!(found, expected);
    }

    #[test]
    fn the_same_content_gives_the_same_bytes() {
        let one = pack("it", entries(), 7).expect("it fits");
        let mut turned = entries();
        turned.reverse();
        assert!(one == pack("it", turned, 7).expect("it fits"));
    }
}
