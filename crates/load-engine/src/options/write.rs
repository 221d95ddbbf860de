//! Options as JSON: for `inspect`, archives and `exec.test.options`.

use std::time::Duration;

use indexmap::IndexMap;
use load_metrics::{SystemTag, SystemTags};
use serde_json::{Map, Value, json};

use super::scenario::{Executor, Scenario, Stage};
use super::{Options, Threshold, TlsAuth, duration};

impl Options {
    /// All options in k6's order, `null` for those that are not set.
    pub fn to_json(&self) -> Value {
        let mut out = json!({
            "paused": self.paused,
            "vus": self.vus,
            "duration": self.duration.map(duration::format),
            "iterations": self.iterations,
            "stages": self.stages.as_deref().map(stages),
            "scenarios": self.scenarios.as_deref().map(scenarios),
            "executionSegment": self.execution_segment,
            "executionSegmentSequence": self.execution_segment_sequence,
            "noSetup": self.no_setup,
            "setupTimeout": self.setup_timeout.map(duration::format),
            "noTeardown": self.no_teardown,
            "teardownTimeout": self.teardown_timeout.map(duration::format),
            "rps": self.rps,
            "dns": {
                "ttl": self.dns.as_ref().and_then(|dns| dns.ttl.clone()),
                "select": self.dns.as_ref().and_then(|dns| dns.select.clone()),
                "policy": self.dns.as_ref().and_then(|dns| dns.policy.clone()),
            },
            "maxRedirects": self.max_redirects,
            "userAgent": self.user_agent,
            "batch": self.batch,
            "batchPerHost": self.batch_per_host,
            "httpDebug": self.http_debug,
            "insecureSkipTLSVerify": self.insecure_skip_tls_verify,
            "tlsCipherSuites": self.tls_cipher_suites,
            "tlsVersion": self.tls_version.as_ref().map(|v| json!({"min": v.min, "max": v.max})),
            "tlsAuth": self.tls_auth.as_ref().map(|all| all.iter().map(tls_auth).collect::<Value>()),
            "throw": self.throw,
            "thresholds": self.thresholds.as_ref().map(thresholds),
            "blacklistIPs": self.blacklist_ips,
            "blockHostnames": self.block_hostnames,
            "hosts": self.hosts.as_ref().map(sorted),
            "noConnectionReuse": self.no_connection_reuse,
            "noVUConnectionReuse": self.no_vu_connection_reuse,
            "minIterationDuration": self.min_iteration_duration.map(duration::format),
        });
        let rest = json!({
            "ext": self.ext.as_ref().map(all_sorted),
            "summaryTrendStats": self.summary_trend_stats,
            "summaryTimeUnit": self.summary_time_unit,
            "systemTags": self.system_tags.map(system_tags),
            "tags": self.tags.as_ref().map(sorted),
            "metricSamplesBufferSize": self.metric_samples_buffer_size,
            "noCookiesReset": self.no_cookies_reset,
            "discardResponseBodies": self.discard_response_bodies,
        });
        if let Value::Object(map) = &mut out {
            if let Some(timeout) = self.handle_summary_timeout {
                map.insert(
                    "handleSummaryTimeout".to_owned(),
                    duration::format(timeout).into(),
                );
            }
            if let Some(cloud) = &self.cloud {
                map.insert("cloud".to_owned(), all_sorted(cloud));
            }
            if let Value::Object(rest) = rest {
                map.extend(rest);
            }
        }
        out
    }

    /// The options as in `exec.test.options`: without shortcuts.
    pub fn to_script_json(&self) -> Value {
        let mut out = self.to_json();
        if let Value::Object(map) = &mut out {
            for shortcut in ["vus", "iterations", "duration", "stages"] {
                map.shift_remove(shortcut);
            }
            // Not in k6's JSON, but in the structure that scripts see.
            map.insert("consoleOutput".to_owned(), json!(self.console_output));
            map.insert("localIPs".to_owned(), json!(self.local_ips));
        }
        out
    }
}

/// Texts in order of their names, as Go writes maps.
fn sorted(map: &IndexMap<String, String>) -> Value {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort();
    let pairs = keys
        .into_iter()
        .map(|key| (key.clone(), map[key].clone().into()));
    Value::Object(pairs.collect())
}

/// Any value with the members of its objects in order of their names.
fn all_sorted(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut keys: Vec<&String> = members.keys().collect();
            keys.sort();
            let pairs = keys
                .into_iter()
                .map(|key| (key.clone(), all_sorted(&members[key])));
            Value::Object(pairs.collect())
        }
        Value::Array(items) => items.iter().map(all_sorted).collect(),
        other => other.clone(),
    }
}

fn stages(stages: &[Stage]) -> Value {
    let one = |stage: &Stage| json!({"duration": duration::format(stage.duration), "target": stage.target});
    stages.iter().map(one).collect()
}

fn scenarios(scenarios: &[Scenario]) -> Value {
    let mut named: Vec<&Scenario> = scenarios.iter().collect();
    named.sort_by(|a, b| a.name.cmp(&b.name));
    let pairs = named
        .into_iter()
        .map(|scenario| (scenario.name.clone(), write_scenario(scenario)));
    Value::Object(pairs.collect())
}

fn write_scenario(scenario: &Scenario) -> Value {
    let mut out = Map::new();
    let mut put = |key: &str, value: Value| {
        out.insert(key.to_owned(), value);
    };
    let time = |time: Option<Duration>| Value::from(time.map(duration::format));
    put("executor", scenario.executor.name().into());
    put("startTime", time(scenario.start_time));
    put("gracefulStop", time(scenario.graceful_stop));
    put("env", json!(scenario.env.as_ref().map(sorted)));
    put("exec", json!(scenario.exec));
    put("tags", json!(scenario.tags.as_ref().map(sorted)));
    if let Some(options) = &scenario.options {
        put("options", all_sorted(options));
    }
    match &scenario.executor {
        Executor::ConstantVus(c) => {
            put("vus", json!(c.vus));
            put("duration", time(c.duration));
        }
        Executor::RampingVus(c) => {
            put("startVUs", json!(c.start_vus));
            put("stages", c.stages.as_deref().map_or(Value::Null, stages));
            put("gracefulRampDown", time(c.graceful_ramp_down));
        }
        Executor::SharedIterations(c) | Executor::PerVuIterations(c) => {
            put("vus", json!(c.vus));
            put("iterations", json!(c.iterations));
            put("maxDuration", time(c.max_duration));
        }
        Executor::ConstantArrivalRate(c) => {
            put("rate", json!(c.rate));
            put("timeUnit", time(c.time_unit));
            put("duration", time(c.duration));
            put("preAllocatedVUs", json!(c.pre_allocated_vus));
            put("maxVUs", json!(c.max_vus));
        }
        Executor::RampingArrivalRate(c) => {
            put("startRate", json!(c.start_rate));
            put("timeUnit", time(c.time_unit));
            put("stages", c.stages.as_deref().map_or(Value::Null, stages));
            put("preAllocatedVUs", json!(c.pre_allocated_vus));
            put("maxVUs", json!(c.max_vus));
        }
        Executor::ExternallyControlled(c) => {
            put("vus", json!(c.vus));
            put("duration", time(c.duration));
            put("maxVUs", json!(c.max_vus));
        }
    }
    Value::Object(out)
}

fn thresholds(metrics: &IndexMap<String, Vec<Threshold>>) -> Value {
    let mut names: Vec<&String> = metrics.keys().collect();
    names.sort();
    let pairs = names.into_iter().map(|name| {
        let all = metrics[name].iter().map(threshold);
        (name.clone(), all.collect::<Value>())
    });
    Value::Object(pairs.collect())
}

/// k6's form of a threshold: a plain string unless it aborts the run, regardless of its delay.
pub fn threshold(threshold: &Threshold) -> Value {
    if !threshold.abort_on_fail {
        return Value::String(threshold.expression.clone());
    }
    json!({
        "threshold": threshold.expression,
        "abortOnFail": true,
        "delayAbortEval": threshold.delay_abort_eval.map(duration::format),
    })
}

fn system_tags(on: SystemTags) -> Value {
    let on = SystemTag::ALL.iter().filter(|tag| on.has(**tag));
    on.map(|tag| Value::from(tag.name())).collect()
}

fn tls_auth(auth: &TlsAuth) -> Value {
    let password = auth.password.clone();
    json!({"cert": auth.cert, "key": auth.key, "password": password, "domains": auth.domains})
}
