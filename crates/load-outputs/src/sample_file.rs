//! Files of samples: plain, gzip by name, or the standard output.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::sync::PoisonError;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::output::{OutputError, Stdout};

/// An open target for text.
pub(super) struct SampleFile {
    path: String,
    writer: Writer,
}

enum Writer {
    Plain(BufWriter<File>),
    Gzip(GzEncoder<BufWriter<File>>),
    Stdout(Stdout),
}

impl SampleFile {
    /// Opens the target; an empty path and `-` are the standard output.
    pub(super) fn create(path: &str, stdout: &Stdout) -> Result<Self, OutputError> {
        let open = || File::create(path).map(BufWriter::new);
        let writer = match path {
            "" | "-" => Ok(Writer::Stdout(Stdout::clone(stdout))),
            gz if gz.ends_with(".gz") => {
                open().map(|file| Writer::Gzip(GzEncoder::new(file, Compression::default())))
            }
            _ => open().map(Writer::Plain),
        };
        let writer = writer.map_err(|source| OutputError::Open {
            path: path.to_owned(),
            source,
        })?;
        Ok(Self {
            path: path.to_owned(),
            writer,
        })
    }

    pub(super) fn write(&mut self, text: &str) -> Result<(), OutputError> {
        let bytes = text.as_bytes();
        let written = match &mut self.writer {
            Writer::Plain(file) => file.write_all(bytes),
            Writer::Gzip(file) => file.write_all(bytes),
            Writer::Stdout(out) => out
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(bytes),
        };
        self.named(written)
    }

    /// Flushes the file for its readers. Compressed files are not flushed, because that would
    /// reduce the compression.
    pub(super) fn flush(&mut self) -> Result<(), OutputError> {
        let flushed = match &mut self.writer {
            Writer::Plain(file) => file.flush(),
            Writer::Gzip(_) => Ok(()),
            Writer::Stdout(out) => out.lock().unwrap_or_else(PoisonError::into_inner).flush(),
        };
        self.named(flushed)
    }

    /// Writes the buffered rest, and ends a compressed file.
    pub(super) fn finish(&mut self) -> Result<(), OutputError> {
        if let Writer::Gzip(file) = &mut self.writer {
            let ended = file.try_finish().and_then(|()| file.get_mut().flush());
            return self.named(ended);
        }
        self.flush()
    }

    fn named(&self, result: io::Result<()>) -> Result<(), OutputError> {
        result.map_err(|source| OutputError::Write {
            target: match self.writer {
                Writer::Stdout(_) => "the standard output".to_owned(),
                _ => self.path.clone(),
            },
            source,
        })
    }
}
