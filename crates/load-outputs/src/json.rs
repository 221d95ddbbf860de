//! `-o json[=file]`: one JSON object per line, as k6 writes it.
//!
//! A metric's first sample is preceded by a line that describes the metric. Without a file, or with
//! `-`, lines go to the standard output; a file that ends in `.gz` is compressed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use load_metrics::{Metric, MetricId, Sample, Tags};

use crate::output::{Output, OutputError, RunEnd, Setup};
use crate::sample_file::SampleFile;
use crate::timestamp::Rfc3339;
use load_engine::go_text::{push_float_general, push_json_string};
use load_engine::options::write::threshold;

/// Writes samples as lines of JSON.
pub struct Json {
    path: String,
    zone: TimeZone,
    open: Option<Open>,
}

struct Open {
    setup: Setup,
    file: SampleFile,
    times: Rfc3339,
    /// `{"metric":"http_reqs","type":"Point","data":{"time":"` of every metric that has been described.
    heads: HashMap<MetricId, String>,
    texts: TagTexts,
    /// The text of a batch, as a reused buffer.
    lines: String,
}

/// JSON objects of tag sets by their addresses. Samples share their sets, so that each is written
/// only once.
#[derive(Default)]
struct TagTexts(HashMap<usize, (Arc<Tags>, String)>);

/// Maximum number of cached sets; beyond it the cache is cleared.
const MAX_TEXTS: usize = 10_000;

const FLUSH_INTERVAL: Duration = Duration::from_millis(200);

impl Json {
    /// Lines in the file `path`, with times of the system's zone.
    pub fn new(path: &str) -> Self {
        Self::in_zone(path, TimeZone::system())
    }

    /// Lines in the file `path`, with times of `zone`.
    pub fn in_zone(path: &str, zone: TimeZone) -> Self {
        let path = path.to_owned();
        Self {
            path,
            zone,
            open: None,
        }
    }
}

impl Output for Json {
    fn description(&self) -> String {
        match self.path.as_str() {
            "" | "-" => "json(stdout)".to_owned(),
            path => format!("json ({path})"),
        }
    }

    fn start(&mut self, setup: &Setup) -> Result<(), OutputError> {
        self.open = Some(Open {
            file: SampleFile::create(&self.path, &setup.stdout)?,
            setup: setup.clone(),
            times: Rfc3339::new(self.zone.clone()),
            heads: HashMap::new(),
            texts: TagTexts::default(),
            lines: String::new(),
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
        FLUSH_INTERVAL
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
        let lines = &mut self.lines;
        let head = self.heads.entry(sample.metric).or_insert_with(|| {
            let metric = self.setup.registry.metric(sample.metric);
            push_metric(lines, &self.setup, &metric);
            point_head(&metric.name)
        });
        lines.push_str(head);
        self.times.push_nanos(lines, sample.at);
        lines.push_str("\",\"value\":");
        push_float_general(lines, sample.value);
        lines.push_str(",\"tags\":");
        lines.push_str(self.texts.of(&sample.tags));
        if let Some(metadata) = sample.metadata.as_ref().filter(|pairs| !pairs.is_empty()) {
            lines.push_str(",\"metadata\":");
            lines.push_str(self.texts.of(metadata));
        }
        lines.push_str("}}\n");
    }
}

impl TagTexts {
    fn of(&mut self, tags: &Arc<Tags>) -> &str {
        if self.0.len() >= MAX_TEXTS {
            self.0.clear();
        }
        // The set is kept alive, so that its address cannot be reused.
        let entry = self.0.entry(Arc::as_ptr(tags).addr());
        let (_, text) = entry.or_insert_with(|| {
            let mut text = String::new();
            push_pairs(&mut text, tags.iter());
            (Arc::clone(tags), text)
        });
        text
    }
}

fn point_head(metric: &str) -> String {
    let mut head = String::from("{\"metric\":");
    push_json_string(&mut head, metric);
    head.push_str(",\"type\":\"Point\",\"data\":{\"time\":\"");
    head
}

fn push_metric(out: &mut String, setup: &Setup, metric: &Metric) {
    out.push_str("{\"type\":\"Metric\",\"data\":{\"name\":");
    push_json_string(out, &metric.name);
    let thresholds = setup.options.thresholds.as_ref();
    let thresholds = thresholds.and_then(|all| all.get(&metric.name));
    let thresholds: Vec<String> = thresholds
        .into_iter()
        .flatten()
        .map(|one| threshold(one).to_string())
        .collect();
    out.push_str(&format!(
        ",\"type\":\"{}\",\"contains\":\"{}\",\"thresholds\":[{}],\"submetrics\":",
        metric.kind,
        metric.contains,
        thresholds.join(","),
    ));
    push_submetrics(out, setup, metric.id);
    out.push_str("},\"metric\":");
    push_json_string(out, &metric.name);
    out.push_str("}\n");
}

fn push_submetrics(out: &mut String, setup: &Setup, parent: MetricId) {
    let mut separator = "[";
    for metric in setup.registry.all() {
        let Some(filter) = metric.filter.filter(|filter| filter.parent == parent) else {
            continue;
        };
        out.push_str(separator);
        separator = ",";
        out.push_str("{\"name\":");
        push_json_string(out, &metric.name);
        out.push_str(",\"suffix\":");
        push_json_string(out, &filter.suffix);
        out.push_str(",\"tags\":");
        let tags: Tags = filter.tags.into_iter().collect();
        push_pairs(out, tags.iter());
        out.push('}');
    }
    out.push_str(if separator == "[" { "null" } else { "]" });
}

fn push_pairs<'a>(out: &mut String, pairs: impl Iterator<Item = (&'a str, &'a str)>) {
    out.push('{');
    for (n, (key, value)) in pairs.enumerate() {
        if n > 0 {
            out.push(',');
        }
        push_json_string(out, key);
        out.push(':');
        push_json_string(out, value);
    }
    out.push('}');
}
