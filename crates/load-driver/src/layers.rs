//! The options of a run: configuration file, script, environment and flags, merged in this order.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use load_engine::log::{Level, Logger};
use load_engine::options::duration::{self, DurationError};
use load_engine::options::{OptionError, Options, environment, json, layer};
use load_engine::segment::Segment;
use serde_json::Value;

use crate::args::{Args, LoadFlags, ReportFlags};
use crate::failure::Failure;
use crate::features::{Feature, Features};
use crate::invocation::Invocation;
use crate::surroundings::Surroundings;
use crate::target::{self, Loaded};

/// The configuration file: options, and settings that exist only there.
#[derive(Debug, Default)]
pub struct ConfigFile {
    pub options: Options,
    pub outputs: Vec<String>,
}

/// Reads the configuration file. The default one need not exist.
pub fn config_file(args: &Args, around: &Surroundings) -> Result<ConfigFile, Failure> {
    let default = || {
        let home = around.raw("XDG_CONFIG_HOME").map(PathBuf::from);
        let home = home.or_else(|| Some(PathBuf::from(around.raw("HOME")?).join(".config")))?;
        let path = home.join("k6/config.json");
        path.exists().then_some(path)
    };
    let Some(path) = args.process.config.clone().or_else(default) else {
        return Ok(ConfigFile::default());
    };
    read_config(&path)
}

fn read_config(path: &Path) -> Result<ConfigFile, Failure> {
    let name = path.display();
    let unloaded = |why: String| {
        Failure::config(format!(
            "failed to load the configuration file from the local file system: {why}"
        ))
    };
    let unparsed = |why: String| {
        unloaded(format!(
            "couldn't parse the configuration from \"{name}\": {why}"
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        unloaded(match error.kind() {
            ErrorKind::NotFound => format!("stat {name}: no such file or directory"),
            ErrorKind::IsADirectory => {
                format!(
                    "couldn't load the configuration from \"{name}\": read {name}: is a directory"
                )
            }
            ErrorKind::InvalidData => {
                format!("couldn't load the configuration from \"{name}\": it is not UTF-8 text")
            }
            _ => format!("couldn't load the configuration from \"{name}\": {error}"),
        })
    })?;
    let value: Value = serde_json::from_str(&text).map_err(|error| match error.is_eof() {
        true => unparsed("unexpected end of JSON input".to_owned()),
        false => unparsed(error.to_string()),
    })?;
    let read = json::read(&value).map_err(|error| unparsed(unnamed(error)))?;
    let outputs = match value.get("out") {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(all)) => all
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        _ => Vec::new(),
    };
    Ok(ConfigFile {
        options: read.options,
        outputs,
    })
}

/// The message of an error, without the name of the option if k6 omits it.
fn unnamed(error: OptionError) -> String {
    match error {
        OptionError::Duration { source, .. } => source.to_string(),
        _ => error.to_string(),
    }
}

/// The error of an option that the script exports.
pub fn of_script(args: &Args, loaded: &Loaded, error: OptionError) -> Failure {
    let of_script = |why: &str| target::of_script(&args.script, &loaded.url, why);
    Failure::config(match error {
        OptionError::Plan(why) => why,
        OptionError::Plain(why) => of_script(&why),
        OptionError::Duration { source, .. } => of_script(&source.to_string()),
        _ => format!("could not initialize '{}': {error}", args.script),
    })
}

/// All layers, merged.
pub fn consolidate(
    invocation: Invocation<'_>,
    file: Options,
    loaded: &Loaded,
    logger: &Logger,
) -> Result<Options, Failure> {
    let Invocation { args, around } = invocation;
    let config = |error: OptionError| Failure::config(error.to_string());
    let read = json::read(&loaded.options).map_err(|error| of_script(args, loaded, error))?;
    let bad_ttl = |ttl: &str| format!("invalid DNS TTL: {ttl}");
    if let Some(ttl) = read.options.bad_dns_ttl() {
        let why = target::of_script(&args.script, &loaded.url, &bad_ttl(ttl));
        return Err(Failure::other(why));
    }
    warn_of_unknown(&read.unknown, logger);
    let variables = environment::read(|name| around.variable(name)).map_err(config)?;
    refuse_bad_addresses(variables.local_ips.as_deref()).map_err(|why| {
        let text = variables.local_ips.as_deref().unwrap_or_default();
        Failure::config(format!(
            "envconfig.Process: assigning K6_LOCAL_IPS to LocalIPs: converting '{text}' to type types.NullIPPool. details: {why}"
        ))
    })?;
    let flags = flags(args)?;
    let features = Features::read_and_tell(args, around, &file, logger);
    let merges_tags = features.has(Feature::MergeRunTags);
    // A script cannot turn features on.
    let script = Options {
        features: None,
        ..read.options
    };
    let mut options = Options::default();
    for (level, layer) in [("json", file), ("script", script), ("env", variables)] {
        warn_of_wiping(&options, &layer, level, logger);
        options = merge(options, layer, merges_tags);
    }
    let flags = plan_of_vus_alone(&options, flags);
    warn_of_wiping(&options, &flags, "cli", logger);
    options = merge(options, flags, merges_tags);
    let tags = features.tags();
    tags.for_each(|(name, value)| drop(options.tags.get_or_insert_default().insert(name, value)));
    refuse_unknown_stats(&options)?;
    if let Some(ttl) = options.bad_dns_ttl() {
        return Err(Failure::other(bad_ttl(ttl)));
    }
    Ok(options)
}

fn merge(lower: Options, mut higher: Options, merges_tags: bool) -> Options {
    if let (true, Some(tags), Some(own)) = (merges_tags, &lower.tags, &mut higher.tags) {
        let mut merged = tags.clone();
        merged.append(own);
        *own = merged;
    }
    layer::merge(lower, higher)
}

/// Warns of unknown options of the script.
pub fn warn_of_unknown(keys: &[String], logger: &Logger) {
    for key in keys {
        let error = format!("json: unknown field \"{key}\"");
        let message = "There were unknown fields in the options exported in the script";
        logger.log(Level::Warn, message, &[("error", &error)]);
    }
}

/// `--vus N` alone, where the script has scenarios, means N iterations shared by N virtual users.
fn plan_of_vus_alone(lower: &Options, flags: Options) -> Options {
    let is_alone = !layer::sets_execution(&flags) && lower.scenarios.is_some();
    let iterations = flags.vus.filter(|_| is_alone).or(flags.iterations);
    Options {
        iterations,
        ..flags
    }
}

fn warn_of_wiping(lower: &Options, higher: &Options, level: &str, logger: &Logger) {
    let wipes = layer::sets_execution(higher) && lower.scenarios.is_some();
    if wipes {
        logger.warn(&format!(
            "{level:?} level configuration overrode scenarios configuration entirely"
        ));
    }
}

fn refuse_unknown_stats(options: &Options) -> Result<(), Failure> {
    for stat in options.summary_trend_stats.iter().flatten() {
        let known = load_metrics::threshold::parse_aggregation(stat);
        let known = known.filter(|_| stat != "rate" && stat != "value" && !stat.contains(' '));
        known.ok_or_else(|| {
            Failure::other(match stat.starts_with("p(") {
                true => format!(
                    "invalid percentile trend stat value '{stat}', provide a number between 0 and 100"
                ),
                false => format!("invalid trend stat '{stat}', unknown format"),
            })
        })?;
    }
    Ok(())
}

/// The layer of the command line.
pub fn flags(args: &Args) -> Result<Options, Failure> {
    let other = |error: OptionError| match error {
        OptionError::Plan(why) => Failure::config(why),
        _ => Failure::other(error.to_string()),
    };
    let (load, client, report) = (&args.load, &args.client, &args.report);
    refuse_unusable(load, report)?;
    refuse_bad_addresses(client.local_ips.as_deref()).map_err(Failure::other)?;
    let mut options = Options {
        paused: load.paused,
        vus: load.vus,
        iterations: load.iterations,
        execution_segment: load.execution_segment.clone(),
        execution_segment_sequence: load.execution_segment_sequence.clone(),
        no_setup: load.no_setup,
        no_teardown: load.no_teardown,
        max_redirects: client.max_redirects,
        batch: client.batch,
        batch_per_host: client.batch_per_host,
        rps: client.rps,
        user_agent: client.user_agent.clone(),
        http_debug: client.http_debug.clone(),
        insecure_skip_tls_verify: client.insecure_skip_tls_verify,
        no_connection_reuse: client.no_connection_reuse,
        no_vu_connection_reuse: client.no_vu_connection_reuse,
        throw: client.throw,
        discard_response_bodies: client.discard_response_bodies,
        local_ips: client.local_ips.clone(),
        summary_time_unit: report.summary_time_unit.clone(),
        console_output: args.process.console_output.clone(),
        ..Options::default()
    };
    let times = [
        ("duration", "-d, --duration", &load.duration),
        (
            "minIterationDuration",
            "--min-iteration-duration",
            &load.min_iteration_duration,
        ),
    ];
    for (option, flag, text) in times {
        if let Some(text) = text {
            // Unlike other layers, the command line accepts no bare numbers and no days.
            if let Err(error @ DurationError::Syntax(_)) = duration::parse(text) {
                return Err(Failure::other(format!(
                    "invalid argument {text:?} for {flag:?} flag: {error}"
                )));
            }
            environment::set_text(&mut options, option, text).map_err(other)?;
        }
    }
    refuse_bad_stages(&load.stages).map_err(Failure::other)?;
    let networks = client.blacklist_ips.iter().flat_map(|text| text.split(','));
    if let Some(bad) = networks.clone().find(|text| !json::is_network(text)) {
        return Err(Failure::other(format!(
            "error parsing blacklist-ip '{bad}': invalid CIDR address: {bad}"
        )));
    }
    let lists = [
        ("blacklistIPs", &client.blacklist_ips),
        ("blockHostnames", &client.block_hostnames),
        ("systemTags", &report.system_tags),
        ("features", &args.script_flags.features),
    ];
    for (option, texts) in lists {
        if !texts.is_empty() {
            environment::set_list(&mut options, option, texts).map_err(other)?;
        }
    }
    options.summary_trend_stats = trend_stats(&report.summary_trend_stats);
    if let Some(n) = load.stages.iter().position(|text| text.starts_with(':')) {
        let why = format!("stage {n} doesn't have a specified duration");
        return Err(Failure::other(why));
    }
    if !load.stages.is_empty() {
        options.stages = Some(environment::stages(&load.stages.join(",")).map_err(other)?);
    }
    if let Some(dns) = &client.dns {
        options.dns = Some(environment::dns(dns).map_err(other)?);
    }
    // A single empty value means none, as in k6; an empty value among others is an error.
    if !report.tags.iter().all(String::is_empty) {
        let tags = environment::tags(report.tags.iter().map(String::as_str));
        options.tags = Some(tags.map_err(Failure::other)?);
    }
    Ok(options)
}

/// Rejects stages of a flag without a unit of the time, or with a target that is not a number.
fn refuse_bad_stages(stages: &[String]) -> Result<(), String> {
    for (n, stage) in stages.iter().enumerate() {
        let (time, target) = stage.split_once(':').unwrap_or((stage, ""));
        let wrong = |why: String| Err(format!("error for stage {n}: {why}"));
        if let Some(error @ DurationError::Syntax(_)) = duration::parse(time).err()
            && !time.is_empty()
        {
            return wrong(error.to_string());
        }
        if !target.is_empty() && target.parse::<i64>().is_err() {
            return wrong(format!(
                "strconv.ParseInt: parsing {target:?}: invalid syntax"
            ));
        }
    }
    Ok(())
}

/// The statistics of all flags; one empty text means no statistics, no flag means the default.
fn trend_stats(texts: &[String]) -> Option<Vec<String>> {
    match texts {
        [] => None,
        [one] if one.is_empty() => Some(Vec::new()),
        _ => {
            let stats = texts.iter().flat_map(|text| text.split(','));
            Some(stats.map(str::to_owned).collect())
        }
    }
}

/// Rejects values for which k6 has another exit code as a flag than as an option.
fn refuse_unusable(load: &LoadFlags, report: &ReportFlags) -> Result<(), Failure> {
    let segment = load.execution_segment.as_deref();
    Segment::parse(segment, None).map_err(|error| Failure::other(error.to_string()))?;
    match report.summary_time_unit.as_deref() {
        None | Some("" | "s" | "ms" | "us") => Ok(()),
        Some(unit) => Err(Failure::other(format!(
            "invalid summary time unit '{unit}', use 's', 'ms' or 'us'"
        ))),
    }
}

fn refuse_bad_addresses(local_ips: Option<&str>) -> Result<(), String> {
    match local_ips.filter(|text| !text.is_empty() && !load_script::are_local_ips(text)) {
        Some(text) => Err(format!("{text} is not a valid IP, IP range or CIDR")),
        None => Ok(()),
    }
}
