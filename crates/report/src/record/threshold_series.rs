//! Series of the metrics that thresholds use, in addition to all requests.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A metric of a threshold, or its sub-metric with certain tags, by second.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ThresholdSeries {
    /// The name in the threshold, such as `http_req_duration{name:GET /a}`.
    pub metric: String,
    /// The metric without its tags.
    pub base: String,
    /// The tags that its samples have.
    pub tags: BTreeMap<String, String>,
    /// `counter`, `gauge`, `rate` or `trend`.
    pub kind: String,
    /// The kind of its values: `time` (milliseconds), `data` (bytes) or `default`.
    pub contains: String,
    /// The component whose service-level row uses it.
    pub component: Option<String>,
    /// By aggregate, such as `p(95)`, the value of each second; for a counter's `count`, the total so far.
    pub seconds: IndexMap<String, Vec<Option<f64>>>,
}

impl ThresholdSeries {
    /// The unit of an aggregate.
    pub fn unit(&self) -> &'static str {
        match (self.kind.as_str(), self.contains.as_str()) {
            ("rate", _) => "ratio",
            (_, "time") => "ms",
            (_, "data") => "bytes",
            _ => "",
        }
    }
}
