//! The circumstances of the measurement.

use crate::number::{DASH, bytes, count, figure, seconds};
use crate::record::{RunRecord, percentile_definition};
use crate::table::Table;

/// The circumstances of a run, one per row.
pub fn table(run: &RunRecord) -> Table {
    let mut table = Table::new("How it was measured", &["what", "value"]);
    let target = &run.target;
    let generator = &run.generator;
    let dash = |value: &Option<String>| value.clone().unwrap_or_else(|| DASH.to_owned());
    // A run of a single script has neither a folder nor a plan.
    let mut row = |what: &str, value: String| {
        if !value.is_empty() {
            table.row(vec![what.into(), value.into()]);
        }
    };
    row("run", run.run.clone());
    row("suite", run.suite.clone());
    row("began", run.began_to_the_second());
    row("length", seconds(run.duration_s));
    row("target", target.name.clone());
    row("base URL", target.base_url.clone());
    let simulated = if target.simulated {
        "yes: its resources and times come from a model"
    } else {
        "no"
    };
    row("simulated", simulated.to_owned());
    row("revision of the target", dash(&target.revision));
    row("time scale", figure(run.time_scale));
    row(
        "seed",
        run.seed
            .map_or_else(|| DASH.to_owned(), |seed| seed.to_string()),
    );
    if !run.plan_hash.is_empty() {
        row("plan", format!("SHA-256 {}", run.plan_hash));
    }
    row("percentiles", percentile_definition(&run.percentile_method));
    row(
        "generator",
        format!("{} {}", generator.name, generator.version),
    );
    row("processor", dash(&generator.cpu_model));
    let cores = generator.cores.map(|cores| count(u64::from(cores)));
    row("cores", cores.unwrap_or_else(|| DASH.to_owned()));
    let memory = generator.memory_bytes.map(|size| bytes(size as f64));
    row("memory", memory.unwrap_or_else(|| DASH.to_owned()));
    row("kernel", dash(&generator.kernel));
    row("format", format!("report.json, schema {}", run.schema));
    for (name, value) in &run.environment {
        row(name, value.clone());
    }
    table
}

/// Explanations of the terms of the page.
pub const NOTES: [&str; 6] = [
    "A request failed when its status is 400 or more, when there was no answer, or when the script's own \
     check of it failed. Failed requests are in the latencies; a request that timed out counts with the \
     time until then.",
    "Latency \"from sending\" begins when a request is sent. \"From the schedule\" it begins when the \
     request should have been sent: it includes the wait that a stalled target causes for the requests behind it. \
     Only tests with a planned arrival rate have it.",
    "Intervals are 95 % confidence intervals. A judgement is inconclusive when its interval contains the \
     bound: the run is too short to decide, not good enough to pass.",
    "Percentiles are computed from all requests of their window, never averaged from other percentiles. \
     Where a chart has fewer points than seconds, a point is the largest of its seconds.",
    "A dash means that nothing was measured; it never stands for 0.",
    "Ramps, warm-ups and rests are shown and not judged.",
];
