//! A runner of a run on several machines.

use std::rc::Rc;

use collector::{Client, Joining, Member, Push, Stop, TOKEN_VARIABLE};
use load_engine::Together;
use load_engine::options::Options;
use load_engine::segment::Segment;
use load_metrics::Registry;

use crate::args::Args;
use crate::failure::Failure;
use crate::surroundings::Surroundings;

/// A runner that has joined.
pub struct Joined {
    pub output: Push,
    pub together: Rc<dyn Together>,
    /// Cancelled when the collector ends the run.
    pub stop: Stop,
}

/// Takes part where a collector is named. Blocks until it has answered. `has`: whether the script has a function.
///
/// # Errors
/// It cannot be reached, or does not want the runner.
pub fn join(
    (args, around): (&Args, &Surroundings),
    (options, registry): (&Options, &Registry),
    segment: &Segment,
    has: impl Fn(&str) -> bool,
) -> Result<Option<Joined>, Failure> {
    let Some(url) = &args.together.collector else {
        return Ok(None);
    };
    let json = options.to_script_json();
    let joining = Joining::new(
        &name(args, options),
        &args.script,
        segment.share(),
        (json["thresholds"].clone(), registry),
    )
    .with_teardown(has("teardown") && options.no_teardown != Some(true));
    let token = around
        .variable(TOKEN_VARIABLE)
        .filter(|token| !token.is_empty());
    let client =
        Client::join(url, token, &joining).map_err(|error| Failure::other(error.to_string()))?;
    let has_setup = has("setup") && options.no_setup != Some(true);
    let member = Member::new(client.clone(), has_setup);
    let stop = Stop::default();
    Ok(Some(Joined {
        output: Push::new(client, member.began(), stop.clone()),
        together: member.into_together(),
        stop,
    }))
}

/// As an operator names it, else by the segment: all differ.
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
