//! Writes the journal of a running test.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use report::record::ResourceSample;
use tokio_util::sync::CancellationToken;

use super::entry::{Entry, FILE, Part};
use crate::plan::PlannedPhase;
use crate::run::measure::{Written, unix_now};
use crate::run::resources::{Monitor, Watched};
use crate::run::stage::Stage;

/// Maximum loss when the process is killed.
const EVERY: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(50);

/// The journal of one test.
pub struct Journal {
    path: PathBuf,
    written: Written,
    /// The number of samples and events that were written.
    target: usize,
    generator: usize,
    events: usize,
}

impl Journal {
    /// Writes the first line of a test's journal; an existing journal is replaced.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn begin(folder: &Path, test: Entry, phases: &[PlannedPhase]) -> std::io::Result<Self> {
        let journal = Self::at(folder, Written::default());
        let mut file = File::create(&journal.path)?;
        put(&mut file, &test)?;
        put(&mut file, &Entry::Phases(phases.to_vec()))?;
        Ok(journal)
    }

    /// Continues the journal of an interrupted test.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn go_on(
        folder: &Path,
        written: Written,
        part: Part,
        phases: &[PlannedPhase],
    ) -> std::io::Result<Self> {
        let journal = Self::at(folder, written);
        cut_torn_line(&journal.path)?;
        let mut file = File::options().append(true).open(&journal.path)?;
        put(&mut file, &Entry::Part(part))?;
        put(&mut file, &Entry::Phases(phases.to_vec()))?;
        Ok(journal)
    }

    fn at(folder: &Path, written: Written) -> Self {
        Self {
            path: folder.join(FILE),
            written,
            target: 0,
            generator: 0,
            events: 0,
        }
    }

    /// Writes new entries repeatedly until `over`, and then the rest; blocks.
    ///
    /// # Errors
    /// The first line that cannot be written ends the journal.
    pub fn keep(
        mut self,
        stage: &Stage<'_>,
        monitor: &Monitor,
        over: &CancellationToken,
    ) -> std::io::Result<()> {
        let mut next = Instant::now() + EVERY;
        while !over.is_cancelled() {
            std::thread::sleep(LOOK);
            if Instant::now() >= next {
                next = Instant::now() + EVERY;
                self.write(stage, monitor)?;
            }
        }
        self.write(stage, monitor)
    }

    fn write(&mut self, stage: &Stage<'_>, monitor: &Monitor) -> std::io::Result<()> {
        let store = stage.store.lock();
        let Some(began) = store.began() else {
            return Ok(());
        };
        let lines = store.news(&mut self.written);
        drop(store);
        let file = File::options().append(true).open(&self.path)?;
        let mut out = BufWriter::new(file);
        for line in lines {
            put(&mut out, &Entry::Measured(line))?;
        }
        let watched = monitor.watched_from(self.target, self.generator);
        self.target += watched.target.len();
        self.generator += watched.generator.len();
        self.put_samples(&mut out, watched, began, monitor.source_name())?;
        for event in stage.events_from(self.events) {
            self.events += 1;
            let at_s = event.at_s - began;
            put(
                &mut out,
                &Entry::Event(report::record::Event { at_s, ..event }),
            )?;
        }
        put(&mut out, &Entry::Until(unix_now()))?;
        out.flush()
    }

    fn put_samples(
        &self,
        out: &mut impl Write,
        watched: Watched,
        began: f64,
        source: &str,
    ) -> std::io::Result<()> {
        let placed = |sample: ResourceSample| {
            Box::new(ResourceSample {
                at_s: sample.at_s - began,
                ..sample
            })
        };
        for sample in watched.target {
            let source = source.to_owned();
            let sample = placed(sample);
            put(out, &Entry::Target { source, sample })?;
        }
        for sample in watched.generator {
            put(out, &Entry::Generator(placed(sample)))?;
        }
        Ok(())
    }
}

/// Removes the journal of a completed test, whose record contains everything.
pub fn forget(folder: &Path) {
    // A remaining journal has no effect: a resumption reports that the run is complete.
    drop(std::fs::remove_file(folder.join(FILE)));
}

/// The first line of the journal of a test.
pub fn heading(title: String, base_url: &str) -> Entry {
    Entry::Test {
        title,
        base_url: base_url.to_owned(),
    }
}

fn put(out: &mut impl Write, entry: &Entry) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(entry).map_err(std::io::Error::other)?;
    line.push(b'\n');
    out.write_all(&line)
}

/// A killed process may have left half a line, which would make the next one unreadable.
fn cut_torn_line(path: &Path) -> std::io::Result<()> {
    let bytes = std::fs::read(path)?;
    let whole = bytes
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |at| at + 1);
    let file = File::options().write(true).open(path)?;
    file.set_len(whole as u64)
}
