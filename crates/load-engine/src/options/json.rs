//! Options from JSON: the script's `options` export, an archive, the config file.

use indexmap::IndexMap;
use load_metrics::{SystemTag, SystemTags};
use serde_json::Value;

use super::duration::{DurationError, parse_extended};
use super::scenario::{
    ConstantArrivalRate, ConstantVus, ExternallyControlled, Iterations, RampingArrivalRate,
    RampingVus,
};
use super::stage::{self, RawStage};
use super::value::{At, OptionError};
use super::{Dns, Executor, Options, Scenario, Threshold, TlsAuth, TlsVersions};

/// The options that were read, and the unknown keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Read {
    /// The options.
    pub options: Options,
    /// Unknown keys: a warning each.
    pub unknown: Vec<String>,
}

/// Reads an object; `null` values are "not set", keys are compared case-insensitively.
///
/// # Errors
/// A value has a wrong type or is invalid.
pub fn read(value: &Value) -> Result<Read, OptionError> {
    let mut read = Read::default();
    if value.is_null() {
        return Ok(read);
    }
    for (key, value) in (At {
        path: "options",
        value,
    })
    .map()?
    {
        if value.is_null() {
            continue;
        }
        if !set(&mut read.options, &At { path: key, value })? {
            read.unknown.push(key.clone());
        }
    }
    Ok(read)
}

/// Sets one option; false when there is none with that name.
pub(super) fn set(options: &mut Options, at: &At<'_>) -> Result<bool, OptionError> {
    match at.path.to_ascii_lowercase().as_str() {
        "paused" => options.paused = Some(at.bool()?),
        "vus" => options.vus = Some(at.int()?),
        "duration" => options.duration = Some(at.time()?),
        "iterations" => options.iterations = Some(at.int()?),
        "stages" => options.stages = Some(stage::of_shortcut(stages(at, Fields::Any)?)?),
        "scenarios" => options.scenarios = Some(scenarios(at)?),
        "executionsegment" => options.execution_segment = Some(at.string()?),
        "executionsegmentsequence" => options.execution_segment_sequence = Some(at.string()?),
        "nosetup" => options.no_setup = Some(at.bool()?),
        "setuptimeout" => options.setup_timeout = Some(at.time()?),
        "noteardown" => options.no_teardown = Some(at.bool()?),
        "teardowntimeout" => options.teardown_timeout = Some(at.time()?),
        "handlesummarytimeout" => options.handle_summary_timeout = Some(at.time()?),
        "thresholds" => options.thresholds = Some(thresholds(at)?),
        "miniterationduration" => options.min_iteration_duration = Some(at.time()?),
        "cloud" => options.cloud = Some(at.value.clone()),
        "ext" => {
            at.map()?;
            options.ext = Some(at.value.clone());
        }
        "summarytrendstats" => options.summary_trend_stats = Some(at.strings()?),
        "summarytimeunit" => options.summary_time_unit = Some(at.string()?),
        "systemtags" => options.system_tags = Some(system_tags(at)?),
        "tags" => options.tags = Some(at.string_map()?),
        "metricsamplesbuffersize" => options.metric_samples_buffer_size = Some(at.int()?),
        "features" => options.features = Some(at.strings()?),
        _ => return set_client(options, at),
    }
    Ok(true)
}

/// Sets one of the options of the protocol clients.
fn set_client(options: &mut Options, at: &At<'_>) -> Result<bool, OptionError> {
    match at.path.to_ascii_lowercase().as_str() {
        "rps" => options.rps = Some(at.int()?),
        "dns" => options.dns = Some(dns(at)?),
        "maxredirects" => options.max_redirects = Some(at.int()?),
        "useragent" => options.user_agent = Some(at.string()?),
        "batch" => options.batch = Some(at.int()?),
        "batchperhost" => options.batch_per_host = Some(at.int()?),
        "httpdebug" => options.http_debug = Some(at.string()?),
        "insecureskiptlsverify" => options.insecure_skip_tls_verify = Some(at.bool()?),
        "tlsciphersuites" => {
            options.tls_cipher_suites = Some(super::cipher_suites::checked(at.strings()?)?);
        }
        "tlsversion" => options.tls_version = Some(tls_version(at)?),
        "tlsauth" => options.tls_auth = Some(tls_auth(at)?),
        "throw" => options.throw = Some(at.bool()?),
        "blacklistips" => options.blacklist_ips = Some(networks(at)?),
        "blockhostnames" => options.block_hostnames = Some(host_patterns(at)?),
        "hosts" => options.hosts = Some(hosts(at)?),
        "noconnectionreuse" => options.no_connection_reuse = Some(at.bool()?),
        "novuconnectionreuse" => options.no_vu_connection_reuse = Some(at.bool()?),
        "nocookiesreset" => options.no_cookies_reset = Some(at.bool()?),
        "discardresponsebodies" => options.discard_response_bodies = Some(at.bool()?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// Whether unknown fields are ignored, as in k6 outside scenarios.
#[derive(Clone, Copy, PartialEq)]
enum Fields {
    Any,
    Known,
}

fn stages(at: &At<'_>, fields: Fields) -> Result<Vec<RawStage>, OptionError> {
    let list = at.list()?.iter().enumerate();
    list.map(|(n, value)| {
        let at = At {
            path: &format!("{}[{n}]", at.path),
            value,
        };
        stage(&at, fields)
    })
    .collect()
}

fn stage(at: &At<'_>, fields: Fields) -> Result<RawStage, OptionError> {
    let mut stage = RawStage::default();
    if at.value.is_null() {
        return Ok(stage);
    }
    for (key, value) in at.map()? {
        let inner = At {
            path: &format!("{}.{key}", at.path),
            value,
        };
        match key.to_ascii_lowercase().as_str() {
            "duration" | "target" if value.is_null() => {}
            "duration" => stage.time = Some(inner.signed_duration()?),
            "target" => stage.target = Some(inner.int()?),
            _ if fields == Fields::Known => {
                return Err(at.bad(format!("unknown field '{key}' for a stage")));
            }
            _ => {}
        }
    }
    Ok(stage)
}

fn scenarios(at: &At<'_>) -> Result<Vec<Scenario>, OptionError> {
    let map = at.map()?.iter();
    map.map(|(name, value)| {
        scenario(
            name,
            &At {
                path: &format!("scenarios.{name}"),
                value,
            },
        )
    })
    .collect()
}

fn scenario(name: &str, at: &At<'_>) -> Result<Scenario, OptionError> {
    let nothing = serde_json::Map::new();
    let map = match at.value {
        Value::Null => &nothing,
        _ => at.map()?,
    };
    let executor = map
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case("executor"))
        .and_then(|(_, value)| value.as_str())
        .unwrap_or_default();
    let executor = empty_executor(executor).ok_or_else(|| match executor {
        "" => OptionError::Plain(format!(
            "scenario '{name}' doesn't have a specified executor type"
        )),
        _ => OptionError::Plain(format!("unknown executor type '{executor}'")),
    })?;
    let mut scenario = Scenario::new(name, executor);
    for (key, value) in map.iter().filter(|(_, value)| !value.is_null()) {
        let inner = At {
            path: &format!("{}.{key}", at.path),
            value,
        };
        let read = set_base(&mut scenario, key, &inner);
        let known = match read {
            Ok(false) => set_executor(&mut scenario, key, &inner),
            other => other,
        };
        if !known.map_err(|error| negative(error, name, key, &scenario.executor))? {
            let executor = scenario.executor.name();
            return Err(at.bad(format!("unknown field '{key}' for executor {executor}")));
        }
    }
    Ok(scenario)
}

/// Sets an option that all kinds of scenarios have; false when there is none with that name.
fn set_base(scenario: &mut Scenario, key: &str, at: &At<'_>) -> Result<bool, OptionError> {
    match key.to_ascii_lowercase().as_str() {
        "executor" => {}
        "starttime" => scenario.start_time = Some(at.duration()?),
        "gracefulstop" => scenario.graceful_stop = Some(at.duration()?),
        "exec" => scenario.exec = Some(at.string()?),
        "env" => scenario.env = Some(at.string_map()?),
        "tags" => scenario.tags = Some(at.string_map()?),
        "options" => {
            if let Some(key) = at.map()?.keys().find(|key| *key != "browser") {
                return Err(at.bad(format!("unknown field '{key}' for the options")));
            }
            scenario.options = Some(at.value.clone());
        }
        _ => return Ok(false),
    }
    Ok(true)
}

/// The error of a negative duration, which is reported for the scenario and not for the text.
fn negative(error: OptionError, scenario: &str, key: &str, executor: &Executor) -> OptionError {
    let OptionError::Duration {
        source: DurationError::Negative(text),
        ..
    } = &error
    else {
        return error;
    };
    let without_end = matches!(executor, Executor::ExternallyControlled(_));
    let time = parse_extended(&text.replacen('-', "", 1)).unwrap_or_default();
    let too_short = |name| {
        let time = super::duration::format(time);
        format!("the {name} must be at least 1s, but is -{time}")
    };
    stage::refused(
        scenario,
        &match key.to_ascii_lowercase().as_str() {
            "starttime" => "the startTime can't be negative".to_owned(),
            "gracefulstop" => "the gracefulStop timeout can't be negative".to_owned(),
            "duration" if without_end => {
                "the duration can't be negative, for infinite duration use 0".to_owned()
            }
            "duration" => too_short("duration"),
            "maxduration" => too_short("maxDuration"),
            _ => return error,
        },
    )
}

fn empty_executor(name: &str) -> Option<Executor> {
    Some(match name {
        "constant-vus" => Executor::ConstantVus(ConstantVus::default()),
        "ramping-vus" => Executor::RampingVus(RampingVus::default()),
        "shared-iterations" => Executor::SharedIterations(Iterations::default()),
        "per-vu-iterations" => Executor::PerVuIterations(Iterations::default()),
        "constant-arrival-rate" => Executor::ConstantArrivalRate(ConstantArrivalRate::default()),
        "ramping-arrival-rate" => Executor::RampingArrivalRate(RampingArrivalRate::default()),
        "externally-controlled" => Executor::ExternallyControlled(ExternallyControlled::default()),
        _ => return None,
    })
}

fn set_executor(scenario: &mut Scenario, key: &str, at: &At<'_>) -> Result<bool, OptionError> {
    let name = &scenario.name;
    match (&mut scenario.executor, key.to_ascii_lowercase().as_str()) {
        (Executor::ConstantVus(c), "vus") => c.vus = Some(at.int()?),
        (Executor::ConstantVus(c), "duration") => c.duration = Some(at.duration()?),
        (Executor::RampingVus(c), "startvus") => c.start_vus = Some(at.int()?),
        (Executor::RampingVus(c), "stages") => {
            c.stages = Some(stage::of_scenario(name, stages(at, Fields::Known)?)?);
        }
        (Executor::RampingVus(c), "gracefulrampdown") => {
            c.graceful_ramp_down = Some(at.time()?);
        }
        (Executor::SharedIterations(c) | Executor::PerVuIterations(c), key) => match key {
            "vus" => c.vus = Some(at.int()?),
            "iterations" => c.iterations = Some(at.int()?),
            "maxduration" => c.max_duration = Some(at.duration()?),
            _ => return Ok(false),
        },
        (Executor::ConstantArrivalRate(c), key) => match key {
            "duration" => c.duration = Some(at.duration()?),
            "rate" => c.rate = Some(at.int()?),
            "timeunit" => c.time_unit = Some(at.time()?),
            "preallocatedvus" => c.pre_allocated_vus = Some(at.int()?),
            "maxvus" => c.max_vus = Some(at.int()?),
            _ => return Ok(false),
        },
        (Executor::RampingArrivalRate(c), key) => match key {
            "startrate" => c.start_rate = Some(at.int()?),
            "timeunit" => c.time_unit = Some(at.time()?),
            "stages" => c.stages = Some(stage::of_scenario(name, stages(at, Fields::Known)?)?),
            "preallocatedvus" => c.pre_allocated_vus = Some(at.int()?),
            "maxvus" => c.max_vus = Some(at.int()?),
            _ => return Ok(false),
        },
        (Executor::ExternallyControlled(c), "vus") => c.vus = Some(at.int()?),
        (Executor::ExternallyControlled(c), "duration") => c.duration = Some(at.duration()?),
        (Executor::ExternallyControlled(c), "maxvus") => c.max_vus = Some(at.int()?),
        _ => return Ok(false),
    }
    Ok(true)
}

fn thresholds(at: &At<'_>) -> Result<IndexMap<String, Vec<Threshold>>, OptionError> {
    let mut metrics = IndexMap::new();
    for (metric, value) in at.map()? {
        let path = format!("thresholds.{metric}");
        let list = match value {
            Value::Null => &[],
            _ => At { path: &path, value }.list()?,
        };
        let list = list.iter().enumerate();
        let read = list
            .map(|(n, value)| {
                threshold(&At {
                    path: &format!("{path}[{n}]"),
                    value,
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        metrics.insert(metric.clone(), read);
    }
    metrics.sort_keys();
    Ok(metrics)
}

fn threshold(at: &At<'_>) -> Result<Threshold, OptionError> {
    let mut read = Threshold {
        expression: String::new(),
        abort_on_fail: false,
        delay_abort_eval: None,
    };
    if at.value.is_string() {
        read.expression = at.string()?;
        return Ok(read);
    }
    if at.value.is_null() {
        return Ok(read);
    }
    for (key, value) in at.map()?.iter().filter(|(_, value)| !value.is_null()) {
        let inner = At {
            path: &format!("{}.{key}", at.path),
            value,
        };
        match key.as_str() {
            "threshold" => read.expression = inner.string()?,
            "abortOnFail" => read.abort_on_fail = inner.bool()?,
            "delayAbortEval" => read.delay_abort_eval = Some(inner.duration()?),
            _ => {}
        }
    }
    Ok(read)
}

pub(super) fn dns(at: &At<'_>) -> Result<Dns, OptionError> {
    let mut dns = Dns::default();
    for (key, value) in at.map()?.iter().filter(|(_, value)| !value.is_null()) {
        let inner = At {
            path: &format!("dns.{key}"),
            value,
        };
        match key.to_ascii_lowercase().as_str() {
            "ttl" => dns.ttl = Some(inner.string()?),
            "select" => {
                dns.select = Some(inner.value_of("DNSSelect", &["first", "random", "roundRobin"])?);
            }
            "policy" => {
                let policies = ["preferIPv4", "preferIPv6", "onlyIPv4", "onlyIPv6", "any"];
                dns.policy = Some(inner.value_of("DNSPolicy", &policies)?);
            }
            _ => {}
        }
    }
    Ok(dns)
}

fn tls_version(at: &At<'_>) -> Result<TlsVersions, OptionError> {
    const KNOWN: [&str; 5] = ["", "tls1.0", "tls1.1", "tls1.2", "tls1.3"];
    if at.value.is_string() {
        let version = at.one_of(&KNOWN)?;
        return Ok(TlsVersions {
            min: version.clone(),
            max: version,
        });
    }
    let mut versions = TlsVersions::default();
    for (key, value) in at.map()? {
        let inner = At {
            path: &format!("tlsVersion.{key}"),
            value,
        };
        match key.as_str() {
            "min" => versions.min = inner.one_of(&KNOWN)?,
            "max" => versions.max = inner.one_of(&KNOWN)?,
            _ => {}
        }
    }
    Ok(versions)
}

fn tls_auth(at: &At<'_>) -> Result<Vec<TlsAuth>, OptionError> {
    let list = at.list()?.iter().enumerate();
    list.map(|(n, value)| {
        tls_auth_entry(&At {
            path: &format!("tlsAuth[{n}]"),
            value,
        })
    })
    .collect()
}

fn tls_auth_entry(at: &At<'_>) -> Result<TlsAuth, OptionError> {
    let mut auth = TlsAuth::default();
    for (key, value) in at.map()?.iter().filter(|(_, value)| !value.is_null()) {
        let inner = At {
            path: &format!("{}.{key}", at.path),
            value,
        };
        match key.as_str() {
            "cert" => auth.cert = inner.string()?,
            "key" => auth.key = inner.string()?,
            "password" => auth.password = Some(inner.string()?),
            "domains" => auth.domains = inner.strings()?,
            _ => {}
        }
    }
    Ok(auth)
}

fn networks(at: &At<'_>) -> Result<Vec<String>, OptionError> {
    let networks = at.strings()?;
    let bad = networks.iter().find(|network| !is_network(network));
    bad.map_or(Ok(()), |bad| {
        let why = format!("failed to parse CIDR '{bad}': invalid CIDR address: {bad}");
        Err(OptionError::Plain(why))
    })?;
    Ok(networks)
}

/// Whether a text is a CIDR block.
pub fn is_network(text: &str) -> bool {
    text.parse::<ipnet::IpNet>().is_ok()
}

fn hosts(at: &At<'_>) -> Result<IndexMap<String, String>, OptionError> {
    let hosts = at.string_map()?;
    for (host, address) in &hosts {
        if !is_host_and_port(host) {
            return Err(OptionError::Plain(format!("invalid host pattern '{host}'")));
        }
        let port = match address.parse::<std::net::IpAddr>() {
            Ok(_) => None,
            Err(_) => address.rsplit_once(':').map(|(_, port)| port),
        };
        if let Some(port) = port.filter(|port| port.parse::<u16>().is_err()) {
            let why = format!("strconv.Atoi: parsing {port:?}: invalid syntax");
            return Err(OptionError::Plain(why));
        }
    }
    Ok(hosts)
}

/// Whether a text is a name whose first character may be a wildcard, with or without a port.
fn is_host_and_port(text: &str) -> bool {
    let (host, port) = text.split_once(':').unwrap_or((text, "0"));
    port.parse::<u16>().is_ok() && !host.chars().skip(1).any(|c| c == '*')
}

fn host_patterns(at: &At<'_>) -> Result<Vec<String>, OptionError> {
    let patterns = at.strings()?;
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let is_pattern = |pattern: &str| {
        pattern
            .strip_prefix('*')
            .unwrap_or(pattern)
            .chars()
            .all(is_known)
    };
    if let Some(bad) = patterns.iter().find(|pattern| !is_pattern(pattern)) {
        return Err(OptionError::Plain(format!(
            "invalid hostname pattern '{bad}'"
        )));
    }
    Ok(patterns)
}

fn system_tags(at: &At<'_>) -> Result<SystemTags, OptionError> {
    Ok(named_system_tags(at.strings()?.iter().map(String::as_str)))
}

/// The set of these names; unknown names are ignored, as in k6.
pub(super) fn named_system_tags<'a>(names: impl Iterator<Item = &'a str>) -> SystemTags {
    let known =
        names.filter_map(|name| SystemTag::ALL.iter().find(|tag| tag.name() == name.trim()));
    known.fold(SystemTags::NONE, |set, tag| set | *tag)
}
