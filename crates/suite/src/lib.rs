//! Runs suites and turns a run into a verdict and a report.
