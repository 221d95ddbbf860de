//! Merges layers of options: config file, script, environment, flags.

use super::Options;

macro_rules! take_set {
    ($into:ident, $from:ident, $($field:ident),* $(,)?) => {
        $(if $from.$field.is_some() { $into.$field = $from.$field; })*
    };
}

/// Merges `higher` over `lower`. The four options that define the execution (`duration`, `iterations`,
/// `stages`, `scenarios`) are one unit: any of them in `higher` clears all of `lower`'s. Maps and lists replace
/// each other as a whole.
pub fn merge(mut lower: Options, higher: Options) -> Options {
    if sets_execution(&higher) {
        lower.duration = None;
        lower.iterations = None;
        lower.stages = None;
        lower.scenarios = None;
    }
    let dns = match (lower.dns.take(), higher.dns.clone()) {
        (Some(low), Some(high)) => Some(super::Dns {
            ttl: high.ttl.or(low.ttl),
            select: high.select.or(low.select),
            policy: high.policy.or(low.policy),
        }),
        (low, high) => high.or(low),
    };
    take_set!(
        lower,
        higher,
        paused,
        vus,
        duration,
        iterations,
        stages,
        scenarios,
        execution_segment,
        execution_segment_sequence,
        no_setup,
        setup_timeout,
        no_teardown,
        teardown_timeout,
        handle_summary_timeout,
        rps,
        max_redirects,
        user_agent,
        batch,
        batch_per_host,
        http_debug,
        insecure_skip_tls_verify,
        tls_cipher_suites,
        tls_version,
        tls_auth,
        throw,
        thresholds,
        blacklist_ips,
        block_hostnames,
        hosts,
        no_connection_reuse,
        no_vu_connection_reuse,
        min_iteration_duration,
        cloud,
        ext,
        summary_trend_stats,
        summary_time_unit,
        system_tags,
        tags,
        metric_samples_buffer_size,
        no_cookies_reset,
        discard_response_bodies,
        features,
        console_output,
        local_ips,
    );
    lower.dns = dns;
    lower
}

/// Whether a layer defines the execution.
pub fn sets_execution(options: &Options) -> bool {
    options.duration.is_some()
        || options.iterations.is_some()
        || options.stages.is_some()
        || options.scenarios.is_some()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_higher_layer_that_defines_the_execution_clears_all_four_of_the_lower() {
        let lower = Options {
            stages: Some(vec![]),
            vus: Some(7),
            rps: Some(3),
            ..Options::default()
        };
        let higher = Options {
            duration: Some(Duration::from_secs(1)),
            ..Options::default()
        };
        let merged = merge(lower, higher);
        assert_eq!(merged.stages, None);
        assert_eq!((merged.vus, merged.rps), (Some(7), Some(3)));
    }

    #[test]
    fn vus_alone_clear_nothing() {
        let lower = Options {
            stages: Some(vec![]),
            ..Options::default()
        };
        let higher = Options {
            vus: Some(1),
            ..Options::default()
        };
        assert!(merge(lower, higher).stages.is_some());
    }
}
