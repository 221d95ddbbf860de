//! The output before a run.

use std::time::Duration;

use load_engine::options::{Options, derive, duration};
use load_engine::plan::{Needs, in_order, scale};
use load_engine::segment::Segment;

use crate::outputs::Described;

const BANNER: &str = r"
   ┌─┐┌─┐┌─┐┬─┐┬─┐┬┌┐┌┌─┐
   └─┐├─┘├─┤├┬┘├┬┘│││││ ┬
   └─┘┴  ┴ ┴┴└─┴└─┴┘└┘└─┘
";

/// The banner and the description of the run.
pub fn describe(
    script: &str,
    described: &Described,
    options: &Options,
    segment: &Segment,
    needs: &Needs,
) -> String {
    let scenarios = options.scenarios();
    let plural = if scenarios.len() == 1 {
        "scenario"
    } else {
        "scenarios"
    };
    let outputs = &described.outputs;
    let page = described.web_dashboard.iter();
    let page: String = page.map(|url| format!(" web dashboard: {url}\n")).collect();
    let mut text = format!(
        "{BANNER}\n     execution: local\n        script: {script}\n{page}        output: {outputs}\n\n     \
         scenarios: ({:.2}%) {} {plural}, {} max VUs, {} max duration (incl. graceful stop):\n",
        segment.share() * 100.0,
        scenarios.len(),
        needs.most_vus,
        duration::format(round(needs.duration)),
    );
    let stripe = segment.stripe();
    let scaled = |count| i64::try_from(scale(&stripe, count)).unwrap_or(i64::MAX);
    for scenario in in_order(scenarios) {
        let what = derive::describe(scenario, segment.share(), scaled);
        text.push_str(&format!("              * {}: {what}\n", scenario.name));
    }
    text.push('\n');
    text
}

/// The time in tenths of a second, as in k6.
fn round(time: Duration) -> Duration {
    Duration::from_millis((time.as_secs_f64() * 10.0).round() as u64 * 100)
}
