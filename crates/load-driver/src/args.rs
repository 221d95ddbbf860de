//! The flags of `run`, as k6 has them.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::{ArgAction, Args as ClapArgs, ValueEnum};

/// Run a k6 script, unmodified. Exit code 0: all thresholds hold; 99: one is crossed; 104: the
/// options are invalid; 105: interrupted; 107: the script threw outside of iterations; 108: it
/// aborted the test.
#[derive(Debug, Clone, Default, ClapArgs)]
pub struct Args {
    /// The script, an archive of a script, or - for standard input
    #[arg(value_name = "SCRIPT")]
    pub script: String,
    #[command(flatten)]
    pub load: LoadFlags,
    #[command(flatten)]
    pub client: ClientFlags,
    #[command(flatten)]
    pub report: ReportFlags,
    #[command(flatten)]
    pub script_flags: ScriptFlags,
    #[command(flatten)]
    pub process: ProcessFlags,
    #[command(flatten)]
    pub together: TogetherFlags,
}

/// What is executed.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Load")]
pub struct LoadFlags {
    /// Number of virtual users
    #[arg(short = 'u', long, value_name = "N", allow_hyphen_values = true)]
    pub vus: Option<i64>,
    /// Duration of the test, such as 30s or 1m30s
    #[arg(short = 'd', long, value_name = "TIME", allow_hyphen_values = true)]
    pub duration: Option<String>,
    /// Iterations of all virtual users together
    #[arg(short = 'i', long, value_name = "N", allow_hyphen_values = true)]
    pub iterations: Option<i64>,
    /// Add a stage, such as 30s:10 (duration:target)
    #[arg(
        short = 's',
        long = "stage",
        value_name = "STAGE",
        allow_hyphen_values = true
    )]
    pub stages: Vec<String>,
    /// Run only this part of the test, such as 10%, 1/3, 0.2:2/3
    #[arg(long, value_name = "SEGMENT")]
    pub execution_segment: Option<String>,
    /// All parts of the test, such as 0,1/3,2/3,1
    #[arg(long, value_name = "SEQUENCE")]
    pub execution_segment_sequence: Option<String>,
    /// Wait before the start until the test is resumed over the REST API
    #[arg(short = 'p', long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub paused: Option<bool>,
    /// Do not run setup()
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_setup: Option<bool>,
    /// Do not run teardown()
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_teardown: Option<bool>,
    /// Minimum duration of an iteration
    #[arg(long, value_name = "TIME")]
    pub min_iteration_duration: Option<String>,
}

/// How requests are made.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Requests")]
pub struct ClientFlags {
    /// Maximum number of redirects to follow
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub max_redirects: Option<i64>,
    /// Maximum number of parallel requests of a batch
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub batch: Option<i64>,
    /// Maximum number of parallel requests of a batch to one host
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    pub batch_per_host: Option<i64>,
    /// Maximum number of requests per second, over all virtual users
    #[arg(long, value_name = "N")]
    pub rps: Option<i64>,
    /// The User-Agent header
    #[arg(long, value_name = "TEXT")]
    pub user_agent: Option<String>,
    /// Log all requests and responses; =full includes the bodies
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "headers", value_name = "HOW")]
    pub http_debug: Option<String>,
    /// Do not verify certificates
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub insecure_skip_tls_verify: Option<bool>,
    /// Use a new connection for each request
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_connection_reuse: Option<bool>,
    /// Use new connections for each iteration
    #[arg(long = "no-vu-connection-reuse", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_vu_connection_reuse: Option<bool>,
    /// Throw an exception when a request fails
    #[arg(short = 'w', long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub throw: Option<bool>,
    /// Block requests to this range of addresses
    #[arg(long = "blacklist-ip", value_name = "CIDR")]
    pub blacklist_ips: Vec<String>,
    /// Block requests to these hosts; a leading * is a wildcard
    #[arg(long, value_name = "PATTERN")]
    pub block_hostnames: Vec<String>,
    /// Read but discard response bodies
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub discard_response_bodies: Option<bool>,
    /// Addresses from which virtual users make their requests
    #[arg(long, value_name = "RANGES")]
    pub local_ips: Option<String>,
    /// How names are resolved, such as ttl=5m,select=random,policy=preferIPv4
    #[arg(long, value_name = "SETTINGS")]
    pub dns: Option<String>,
}

/// What is measured and shown.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Results")]
pub struct ReportFlags {
    /// Send all samples to an output, such as json=file.json, influxdb=http://localhost:8086/k6, statsd=localhost:8125 or
    /// prometheus=http://localhost:9090/api/v1/write
    #[arg(short = 'o', long = "out", value_name = "OUTPUT")]
    pub outputs: Vec<String>,
    /// Statistics of trends in the summary, such as avg,p(95)
    #[arg(long, value_name = "STATS")]
    pub summary_trend_stats: Vec<String>,
    /// The unit of times in the summary: s, ms or us
    #[arg(long, value_name = "UNIT")]
    pub summary_time_unit: Option<String>,
    /// The tags that the driver sets
    #[arg(long, value_name = "TAGS")]
    pub system_tags: Vec<String>,
    /// Add a tag to all samples, as name=value
    #[arg(long = "tag", value_name = "TAG")]
    pub tags: Vec<String>,
    /// Do not evaluate thresholds
    #[arg(long, env = "K6_NO_THRESHOLDS", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_thresholds: Option<bool>,
    /// Show no summary
    #[arg(long, env = "K6_NO_SUMMARY", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_summary: Option<bool>,
    /// How much the summary shows
    #[arg(long, env = "K6_SUMMARY_MODE", value_name = "MODE")]
    pub summary_mode: Option<SummaryMode>,
    /// Write the summary to a file as JSON
    #[arg(long, env = "K6_SUMMARY_EXPORT", value_name = "FILE")]
    pub summary_export: Option<PathBuf>,
    /// Use k6's newer layout for handleSummary and --summary-export
    #[arg(long, env = "K6_NEW_MACHINE_READABLE_SUMMARY", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub new_machine_readable_summary: Option<bool>,
    /// How trends are stored: exact, as in k6, or hdr: within 0.05 %, in constant memory (not k6's)
    #[arg(long, env = "SPARRING_TREND_SINK", value_name = "SINK")]
    pub trend_sink: Option<TrendSinkMode>,
    /// Also measure http_req_intended_duration, from the planned start of the iteration (not k6's)
    #[arg(long, env = "SPARRING_INTENDED_DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub intended_duration: Option<bool>,
    /// Also measure `http_req_content_bytes`, for suites.
    #[arg(skip)]
    pub content_bytes: bool,
    /// Accepted for compatibility; no usage data is ever sent
    #[arg(long, env = "K6_NO_USAGE_REPORT", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_usage_report: Option<bool>,
}

/// How the script is run.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Script")]
pub struct ScriptFlags {
    /// Set a variable of __ENV, as NAME=value; NAME alone takes its value from the environment
    #[arg(short = 'e', long = "env", value_name = "VAR=value")]
    pub environment: Vec<String>,
    /// Pass the environment variables to the script
    #[arg(long, env = "K6_INCLUDE_SYSTEM_ENV_VARS", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub include_system_env_vars: Option<bool>,
    /// The type of SCRIPT: js or archive
    #[arg(short = 't', long = "type", env = "K6_TYPE", value_name = "TYPE")]
    pub test_type: Option<String>,
    /// The script's compatibility mode: extended or base
    #[arg(long, env = "K6_COMPATIBILITY_MODE", value_name = "MODE")]
    pub compatibility_mode: Option<String>,
    /// Source of secrets: file=path, mock=name=value,… or url=…, with name=… and default among the settings
    #[arg(long, env = "K6_SECRET_SOURCE", value_name = "SOURCE")]
    pub secret_source: Vec<String>,
    /// Destination of traces; only none is supported
    #[arg(long, env = "K6_TRACES_OUTPUT", value_name = "OUTPUT")]
    pub traces_output: Option<String>,
    /// Turn on a feature by name
    #[arg(long, value_name = "NAME")]
    pub features: Vec<String>,
}

/// A run on several machines (not k6's).
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Several machines")]
pub struct TogetherFlags {
    /// Take part in the run of this collector, which judges the thresholds on the metrics of all runners (not k6's)
    #[arg(long, env = "SPARRING_COLLECTOR", value_name = "URL")]
    pub collector: Option<String>,
    /// The name of this runner [default: the tag instance_id, else the segment] (not k6's)
    #[arg(
        long,
        env = "SPARRING_RUNNER",
        value_name = "NAME",
        requires = "collector"
    )]
    pub runner: Option<String>,
}

/// How the process behaves.
#[derive(Debug, Clone, Default, ClapArgs)]
#[command(next_help_heading = "Process")]
pub struct ProcessFlags {
    /// Serve the REST API here
    #[arg(short = 'a', long, env = "K6_ADDRESS", value_name = "HOST:PORT")]
    pub address: Option<String>,
    /// The configuration file (JSON)
    #[arg(short = 'c', long, env = "K6_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The format of log lines: text, json or raw
    #[arg(long, env = "K6_LOG_FORMAT", value_name = "FORMAT", value_parser = LogFormat::read)]
    pub log_format: Option<LogFormat>,
    /// Destination of log lines: stderr, stdout, none, file=path or loki=url
    #[arg(long, env = "K6_LOG_OUTPUT", value_name = "OUTPUT")]
    pub log_output: Option<String>,
    /// Write the output of console.log to this file
    #[arg(long, env = "K6_CONSOLE_OUTPUT", value_name = "FILE")]
    pub console_output: Option<String>,
    /// Do not use colours
    #[arg(long, env = "K6_NO_COLOR", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub no_color: Option<bool>,
    /// Show no banner and no progress
    #[arg(short, long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub quiet: bool,
    /// Log more
    #[arg(short, long, action = ArgAction::Set, num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true)]
    pub verbose: bool,
    /// Keep the process running after the end of the test until it is interrupted
    #[arg(short = 'l', long, env = "K6_LINGER", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub linger: Option<bool>,
    /// Accepted for compatibility
    #[arg(long, env = "K6_PROFILING_ENABLED", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub profiling_enabled: Option<bool>,
    /// When the summary shows the health of the driver itself: auto (if it was impaired), always or
    /// never (not k6's)
    #[arg(long, env = "SPARRING_GENERATOR_HEALTH", value_name = "WHEN")]
    pub generator_health: Option<HealthMode>,
    /// Number of threads that run virtual users [default: the number of cores] (not k6's)
    #[arg(long, env = "SPARRING_THREADS", value_name = "N")]
    pub threads: Option<usize>,
    /// Memory limit of a virtual user in MB, beyond which it ends with an error [default: 1024] (not k6's)
    #[arg(long, env = "SPARRING_VU_MEMORY_MB", value_name = "MB")]
    pub vu_memory_mb: Option<std::num::NonZeroUsize>,
    /// Let virtual users share built-in objects until they change them; with false each has its own,
    /// which needs three times the memory (not k6's)
    #[arg(long, env = "SPARRING_SHARE_BUILTINS", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub share_builtins: Option<bool>,
}

/// How much the summary shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SummaryMode {
    /// Totals
    Compact,
    /// Totals, then every scenario and group
    Full,
    /// k6's older layout; shown as compact
    Legacy,
    /// Nothing
    Disabled,
}

/// When the driver's own health is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum HealthMode {
    /// If it was impaired
    Auto,
    /// In every summary
    Always,
    /// Never
    Never,
}

/// How trends are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TrendSinkMode {
    /// Every value
    Exact,
    /// Narrow buckets
    Hdr,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// key=value
    Text,
    /// One object per line
    Json,
    /// The message only
    Raw,
}

impl LogFormat {
    /// As in k6, any unknown format means text.
    fn read(name: &str) -> Result<Self, Infallible> {
        Ok(match name {
            "json" => Self::Json,
            "raw" => Self::Raw,
            _ => Self::Text,
        })
    }
}
