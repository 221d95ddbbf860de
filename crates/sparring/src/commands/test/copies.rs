//! Reports at given paths, in addition to those in the run's folder.

use std::path::PathBuf;

use clap::Args;
use report::RunRecord;
use report::export::{Format, locust};
use suite::{WriteError, write_whole};

/// Further places for the results.
#[derive(Debug, Args)]
#[command(next_help_heading = "Reports")]
pub struct CopyArguments {
    /// Write the HTML page of the run here, like Locust's --html
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write Locust's four CSV files (PREFIX_stats.csv and so on); with several tests, each has its own prefix
    #[arg(long, value_name = "PREFIX")]
    pub csv: Option<PathBuf>,
    /// Write acso's results as JSON here
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl CopyArguments {
    /// Writes the requested files.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write(&self, record: &RunRecord) -> Result<(), WriteError> {
        if let Some(path) = &self.html {
            write_whole(path, report::page::page(record).as_bytes())?;
        }
        if let Some(path) = &self.output {
            for artefact in Format::Acso.artefacts(record) {
                write_whole(path, &artefact.bytes)?;
            }
        }
        let Some(prefix) = &self.csv else {
            return Ok(());
        };
        let name = prefix
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        for (place, test) in record.tests.iter().enumerate() {
            let name = match record.tests.len() {
                1 => name.clone(),
                _ => format!("{name}_{}", place + 1),
            };
            for artefact in locust(record, test, &name) {
                write_whole(&prefix.with_file_name(&artefact.name), &artefact.bytes)?;
            }
        }
        Ok(())
    }
}
