//! Metric types, samples, tags, sinks and thresholds, with k6's meaning.
