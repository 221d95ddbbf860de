//! Options, scenarios, executors, VU pool and outputs; knows no JavaScript and no HTTP.
