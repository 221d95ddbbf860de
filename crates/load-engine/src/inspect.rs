//! The output of `inspect`: options and the requirements of a run with them.

use serde_json::Value;

use crate::go_text::json_text_indented;
use crate::options::{DEFAULT_TREND_STATS, OptionError, Options, derive, duration};
use crate::plan;
use crate::segment::Segment;

/// The options as the script exports them.
pub fn options_text(options: &Options) -> String {
    json_text_indented(&options.to_json())
}

/// The consolidated options (including shortcuts) with the derived scenarios and the requirements of this part
/// of the test: `totalDuration` with all grace periods, and `maxVUs`.
///
/// # Errors
/// The options contradict each other.
pub fn requirements_text(options: &Options, segment: &Segment) -> Result<String, OptionError> {
    let mut derived = options.clone();
    derive::scenarios(&mut derived)?;
    let needs = plan::needs(derived.scenarios(), segment);
    let mut shown = options.clone();
    shown.scenarios = derived.scenarios;
    let mut value = with_defaults(&shown);
    if let Value::Object(map) = &mut value {
        let total = duration::format(needs.duration);
        map.insert("totalDuration".to_owned(), total.into());
        map.insert("maxVUs".to_owned(), needs.most_vus.into());
    }
    Ok(json_text_indented(&value))
}

/// Consolidated options as k6 writes them into archives: two of them include their defaults.
pub fn with_defaults(options: &Options) -> Value {
    let mut options = options.clone();
    options
        .summary_trend_stats
        .get_or_insert_with(|| DEFAULT_TREND_STATS.map(str::to_owned).to_vec());
    options.system_tags.get_or_insert_default();
    options.to_json()
}
