//! The evidence of one test as a file: compressed lines of JSON.

use std::io::{self, BufRead, BufReader, Write};

use flate2::Compression;
use flate2::bufread::GzDecoder;
use flate2::write::GzEncoder;
use report::record::TestRecord;
use serde::Serialize;

use super::facts::Facts;
use crate::run::measure::{Store, StoreLine};

/// The data from which the record of a test is computed.
#[derive(Debug)]
pub struct Evidence {
    pub facts: Facts,
    pub store: Store,
}

/// Evidence that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error("{file} is missing")]
    Missing { file: String },
    #[error("{file} cannot be read: {why}")]
    Malformed { file: String, why: String },
}

impl Evidence {
    /// Writes the file: the facts in the first line, the measurements in the others.
    ///
    /// # Errors
    /// The facts cannot be represented as JSON.
    pub fn write(facts: &Facts, store: &Store) -> io::Result<Vec<u8>> {
        // Files that are seldom read are not worth the time for the last tenth of their size.
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        put(&mut out, facts)?;
        store.lines(&mut |line| put(&mut out, &line))?;
        out.finish()
    }

    /// # Errors
    /// The bytes were not written by [`Self::write`].
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let mut lines = BufReader::new(GzDecoder::new(bytes)).lines();
        let mut number = 0;
        let mut next = || -> Result<Option<String>, String> {
            number += 1;
            let line = lines.next().transpose();
            line.map_err(|error| format!("line {number}: {error}"))
        };
        let first = next()?.unwrap_or_default();
        let facts = serde_json::from_str(&first).map_err(|error| format!("line 1: {error}"))?;
        let mut store = Store::default();
        let mut is_whole = false;
        let mut place = 1;
        while let Some(line) = next()? {
            place += 1;
            let line: StoreLine =
                serde_json::from_str(&line).map_err(|error| format!("line {place}: {error}"))?;
            is_whole = matches!(line, StoreLine::Totals(_));
            if !store.take_line(line) {
                return Err(format!("line {place} names an unknown series"));
            }
        }
        store.close();
        if is_whole {
            Ok(Self { facts, store })
        } else {
            Err("it is truncated".to_owned())
        }
    }

    /// The record of the test.
    pub fn record(&self) -> TestRecord {
        self.facts.judged(&self.store)
    }
}

fn put(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}
