//! `-o csv[=file]`: one line per sample, as k6 writes it.
//!
//! The columns are the metric, time and value, the enabled system tags, and all other tags and the
//! metadata as `key=value` pairs joined by `&`.

use std::collections::HashMap;
use std::fmt::Write;
use std::time::Duration;

use jiff::tz::TimeZone;
use load_metrics::{MetricId, Sample, SystemTag, SystemTags, Tags, UnixNanos};

use crate::output::{Environment, Output, OutputError, RunEnd, Setup};
use crate::sample_file::SampleFile;
use crate::timestamp::Rfc3339;
use load_engine::options::duration::parse_extended;

/// The settings of `-o csv=...` and of the environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `K6_CSV_FILENAME`, `fileName`: `-` or empty is the standard output.
    pub file_name: String,
    /// `K6_CSV_SAVE_INTERVAL`, `saveInterval`: the flush interval.
    pub save_interval: Duration,
    /// `K6_CSV_TIME_FORMAT`, `timeFormat`.
    pub time_format: TimeFormat,
}

/// How times are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFormat {
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMilli,
    /// Microseconds since 1970.
    UnixMicro,
    /// Nanoseconds since 1970.
    UnixNano,
    /// `2026-11-21T06:43:54+05:30`
    Rfc3339,
    /// `2026-11-21T06:43:54.9+05:30`
    Rfc3339Nano,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file_name: "file.csv".to_owned(),
            save_interval: Duration::from_secs(1),
            time_format: TimeFormat::Unix,
        }
    }
}

impl Config {
    /// Reads the environment and, over it, the argument of `-o csv=`.
    ///
    /// # Errors
    /// On unknown keys and values.
    pub fn read(argument: &str, environment: &Environment) -> Result<Self, OutputError> {
        let mut config = Self::default();
        let settings = [
            ("K6_CSV_FILENAME", "fileName"),
            ("K6_CSV_SAVE_INTERVAL", "saveInterval"),
            ("K6_CSV_TIME_FORMAT", "timeFormat"),
        ];
        for (variable, key) in settings {
            if let Some(value) = environment.get(variable) {
                config.set(key, value)?;
            }
        }
        if !argument.contains('=') && !argument.contains(',') {
            if !argument.is_empty() {
                config.file_name = argument.to_owned();
            }
            return Ok(config);
        }
        for pair in argument.split(',') {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                refuse(format!(
                    "couldn't parse \"{argument}\" as argument for csv output"
                ))
            })?;
            config.set(key, value)?;
        }
        Ok(config)
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), OutputError> {
        match key {
            "fileName" => self.file_name = value.to_owned(),
            "saveInterval" => {
                self.save_interval = parse_extended(value)
                    .map_err(|_| refuse(format!("time: invalid duration \"{value}\"")))?;
            }
            "timeFormat" => self.time_format = TimeFormat::parse(value)?,
            _ => {
                let why = format!("unknown key \"{key}\" as argument for csv output");
                return Err(refuse(why));
            }
        }
        Ok(())
    }
}

impl TimeFormat {
    fn parse(text: &str) -> Result<Self, OutputError> {
        Ok(match text {
            "unix" => Self::Unix,
            "unix_milli" => Self::UnixMilli,
            "unix_micro" => Self::UnixMicro,
            "unix_nano" => Self::UnixNano,
            "rfc3339" => Self::Rfc3339,
            "rfc3339_nano" => Self::Rfc3339Nano,
            _ => {
                return Err(refuse(format!(
                    "{text} does not belong to TimeFormat values"
                )));
            }
        })
    }
}

fn refuse(why: String) -> OutputError {
    OutputError::Create { output: "csv", why }
}

/// Writes samples as comma-separated values.
pub struct Csv {
    config: Config,
    zone: TimeZone,
    open: Option<Open>,
}

struct Open {
    setup: Setup,
    file: SampleFile,
    times: Rfc3339,
    time_format: TimeFormat,
    columns: Vec<&'static str>,
    names: HashMap<MetricId, String>,
    /// The text of a batch, as a reused buffer.
    lines: String,
    /// The same for one field.
    field: String,
}

impl Csv {
    /// Lines with times of the system's zone.
    pub fn new(config: Config) -> Self {
        Self::in_zone(config, TimeZone::system())
    }

    /// Lines with times of `zone`.
    pub fn in_zone(config: Config, zone: TimeZone) -> Self {
        Self {
            config,
            zone,
            open: None,
        }
    }
}

impl Output for Csv {
    fn description(&self) -> String {
        match self.config.file_name.as_str() {
            "" | "-" => "csv (stdout)".to_owned(),
            path => format!("csv ({path})"),
        }
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        let created = SampleFile::create(&self.config.file_name, &setup.stdout);
        let mut file = created.map_err(|error| refuse(error.to_string()))?;
        let columns = columns(setup.options.system_tags());
        file.write(&header(&columns))?;
        self.open = Some(Open {
            setup: setup.clone(),
            file,
            times: Rfc3339::new(self.zone.clone()),
            time_format: self.config.time_format,
            columns,
            names: HashMap::new(),
            lines: String::new(),
            field: String::new(),
        });
        Ok(())
    }

    fn consume(&mut self, samples: &[Sample]) -> Result<(), OutputError> {
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        open.lines.clear();
        for sample in samples {
            open.push_sample(sample);
        }
        open.file.write(&open.lines)
    }

    fn interval(&self) -> Duration {
        self.config.save_interval
    }

    fn tick(&mut self) -> Result<(), OutputError> {
        self.open.as_mut().map_or(Ok(()), |open| open.file.flush())
    }

    fn finish(&mut self, _: &RunEnd) -> Result<(), OutputError> {
        self.open.as_mut().map_or(Ok(()), |open| open.file.finish())
    }
}

impl Open {
    fn push_sample(&mut self, sample: &Sample) {
        let known = self.names.entry(sample.metric);
        let name = known.or_insert_with(|| self.setup.registry.metric(sample.metric).name);
        self.lines.push_str(name);
        self.lines.push(',');
        self.push_time(sample.at);
        // Writing to a string cannot fail.
        let _ = write!(self.lines, ",{:.6},", sample.value);
        for column in &self.columns {
            push_field(&mut self.lines, sample.tags.get(column).unwrap_or_default());
            self.lines.push(',');
        }
        let columns = &self.columns;
        self.field.clear();
        join_pairs(&mut self.field, &sample.tags, |key| !columns.contains(&key));
        push_field(&mut self.lines, &self.field);
        self.lines.push(',');
        if let Some(metadata) = &sample.metadata {
            self.field.clear();
            join_pairs(&mut self.field, metadata, |_| true);
            push_field(&mut self.lines, &self.field);
        }
        self.lines.push('\n');
    }

    fn push_time(&mut self, at: UnixNanos) {
        let unit = match self.time_format {
            TimeFormat::Unix => 1_000_000_000,
            TimeFormat::UnixMilli => 1_000_000,
            TimeFormat::UnixMicro => 1_000,
            TimeFormat::UnixNano => 1,
            TimeFormat::Rfc3339 => return self.times.push_seconds(&mut self.lines, at),
            TimeFormat::Rfc3339Nano => return self.times.push_nanos(&mut self.lines, at),
        };
        let _ = write!(self.lines, "{}", at.0.div_euclid(unit));
    }
}

/// The enabled system tags that can be part of a series, by name.
fn columns(on: SystemTags) -> Vec<&'static str> {
    let all = SystemTag::ALL.iter();
    let indexed = all.filter(|tag| !matches!(tag, SystemTag::Iter | SystemTag::Vu));
    indexed
        .filter(|tag| on.has(**tag))
        .map(|tag| tag.name())
        .collect()
}

fn header(columns: &[&str]) -> String {
    let mut header = String::from("metric_name,timestamp,metric_value,");
    for column in columns {
        header.push_str(column);
        header.push(',');
    }
    header.push_str("extra_tags,metadata\n");
    header
}

fn join_pairs(out: &mut String, pairs: &Tags, wanted: impl Fn(&str) -> bool) {
    for (key, value) in pairs.iter().filter(|(key, _)| wanted(key)) {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(key);
        out.push('=');
        out.push_str(value);
    }
}

/// Appends a field, in quotes where Go's CSV writer uses them.
fn push_field(out: &mut String, field: &str) {
    let special = field.contains([',', '"', '\n', '\r']);
    let leading_space = field.starts_with(char::is_whitespace);
    if !special && !leading_space && field != "\\." {
        out.push_str(field);
        return;
    }
    out.push('"');
    for c in field.chars() {
        if c == '"' {
            out.push('"');
        }
        out.push(c);
    }
    out.push('"');
}
