//! A runner of a run on several machines.

use std::rc::Rc;

use collector::{
    Client, Joining, Member, MetricName, OwnResults, Push, Stop, SummaryOptions, TOKEN_VARIABLE,
};
use load_engine::Together;
use load_engine::options::Options;
use load_engine::segment::Segment;
use load_metrics::Registry;

use crate::args::Args;
use crate::failure::Failure;
use crate::invocation::Invocation;

/// The folder for a runner's own results if the collector is lost.
const FOLDER: &str = "results";

/// A runner's part of a run.
pub struct Part<'a> {
    pub segment: &'a Segment,
    pub registry: &'a Registry,
    /// The script has a function `setup`.
    pub has_setup: bool,
    /// The script has a function `teardown`.
    pub has_teardown: bool,
}

/// A runner that has joined.
pub struct Joined {
    pub output: Push,
    pub together: Rc<dyn Together>,
    /// Cancelled when the collector ends the run.
    pub stop: Stop,
}

/// Joins the run if a collector is named. Blocks until the collector has answered.
///
/// # Errors
/// The collector cannot be reached, or refuses the runner.
pub fn join(
    invocation: Invocation<'_>,
    options: &Options,
    part: &Part<'_>,
) -> Result<Option<Joined>, Failure> {
    let Invocation { args, around } = invocation;
    let Some(url) = &args.together.collector else {
        return Ok(None);
    };
    let json = options.to_script_json();
    let joining = Joining {
        name: name(args, options),
        share: part.segment.share(),
        script: args.script.clone(),
        thresholds: json["thresholds"].clone(),
        metrics: MetricName::all_of(part.registry),
        has_teardown: part.has_teardown && options.no_teardown != Some(true),
        summary: SummaryOptions {
            trend_stats: options.summary_trend_stats(),
            time_unit: options.summary_time_unit.clone().unwrap_or_default(),
        },
    };
    let token = around
        .variable(TOKEN_VARIABLE)
        .filter(|token| !token.is_empty());
    let client =
        Client::join(url, token, &joining).map_err(|error| Failure::other(error.to_string()))?;
    let has_setup = part.has_setup && options.no_setup != Some(true);
    let member = Member::new(client.clone(), has_setup);
    let stop = Stop::default();
    let began = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ");
    let folder = format!("{FOLDER}/{began}-runner-{}", file_name(&joining.name));
    let kept = OwnResults::new(joining, folder.into());
    Ok(Some(Joined {
        output: Push::new(client, kept, member.began(), stop.clone()),
        together: member.into_together(),
        stop,
    }))
}

/// The name that an operator gives the runner, otherwise one from the segment, so that all differ.
fn name(args: &Args, options: &Options) -> String {
    let tag = options
        .tags
        .as_ref()
        .and_then(|tags| tags.get("instance_id"));
    let segment = options.execution_segment.as_ref();
    args.together
        .runner
        .clone()
        .or_else(|| tag.cloned())
        .or_else(|| segment.cloned())
        .unwrap_or_else(|| "0:1".to_owned())
}

/// Letters, digits and hyphens.
fn file_name(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
    text.replace(|letter: char| !is_plain(letter), "-")
}
