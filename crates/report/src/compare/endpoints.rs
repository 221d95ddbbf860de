//! Compares endpoints and error rates, from the totals of all their requests.

use analysis::canary::Class;
use analysis::distribution::{normal_cdf, normal_quantile};
use analysis::effect::{Effect, Magnitude};
use analysis::proportion::{Count, proportion_difference};

use super::{Change, EndpointComparison, FigureComparison, Options};
use crate::record::{Endpoint, Figures, Latency, TestRecord};

/// With fewer values, a mean is not approximately normal.
const FEWEST: u64 = 30;

/// The relevant increase of an error rate: one percentage point.
const ERRORS: f64 = 0.01;

/// The power of the minimal detectable change.
const POWER: f64 = 0.8;

/// Endpoints that both tests have, compared by their mean latencies: Welch's test, whose p values are
/// adjusted over all endpoints afterwards.
pub fn lines(
    before: &TestRecord,
    after: &TestRecord,
    options: &Options,
) -> Vec<EndpointComparison> {
    let key = |endpoint: &Endpoint| {
        (
            endpoint.name.clone(),
            endpoint.method.clone(),
            endpoint.class.clone(),
        )
    };
    let later: std::collections::HashMap<_, &Endpoint> = after
        .endpoints
        .iter()
        .map(|endpoint| (key(endpoint), endpoint))
        .collect();
    before
        .endpoints
        .iter()
        .filter_map(|endpoint| {
            let candidate = later.get(&key(endpoint))?;
            Some(EndpointComparison {
                method: endpoint.method.clone(),
                name: endpoint.name.clone(),
                class: endpoint.class.clone(),
                line: mean(&endpoint.figures, &candidate.figures, options),
            })
        })
        .collect()
}

fn empty(figure: &'static str, unit: &'static str, decides: bool) -> FigureComparison {
    FigureComparison {
        figure,
        unit,
        baseline: None,
        candidate: None,
        relative: None,
        interval: None,
        p_value: None,
        test: String::new(),
        superiority: None,
        magnitude: None,
        minimal_detectable: None,
        needs_per_side: None,
        change: Change::Inconclusive,
        note: None,
        canary: Class::NoData,
        smaller_is_worse: false,
        decides,
    }
}

fn mean(before: &Figures, after: &Figures, options: &Options) -> FigureComparison {
    let mut line = empty("mean", "ms", false);
    let (Some(a), Some(b)) = (&before.latency, &after.latency) else {
        line.note = Some("no requests on one side".to_owned());
        return line;
    };
    line.baseline = Some(a.mean);
    line.candidate = Some(b.mean);
    line.test = format!("Welch, {} and {} requests", before.requests, after.requests);
    if before.requests.min(after.requests) < FEWEST {
        line.note = Some(format!("fewer than {FEWEST} requests on one side"));
        return line;
    }
    let error = (variance(a) / before.requests as f64 + variance(b) / after.requests as f64).sqrt();
    if a.mean <= 0.0 || error <= 0.0 || !error.is_finite() {
        line.note = Some("the latencies do not vary".to_owned());
        return line;
    }
    let difference = b.mean - a.mean;
    let z = normal_quantile(1.0 - (1.0 - options.confidence) / 2.0);
    let share = |value: f64| value / a.mean;
    line.relative = Some(share(difference));
    line.interval = Some([share(difference - z * error), share(difference + z * error)]);
    line.p_value = Some((2.0 * normal_cdf(-(difference / error).abs())).clamp(0.0, 1.0));
    let effect =
        Effect::from_superiority(normal_cdf(difference / (variance(a) + variance(b)).sqrt()));
    line.superiority = Some(effect.superiority);
    line.magnitude = Some(match effect.magnitude {
        Magnitude::Negligible => "negligible",
        Magnitude::Small => "small",
        Magnitude::Medium => "medium",
        Magnitude::Large => "large",
    });
    line.minimal_detectable = Some(share((z + normal_quantile(POWER)) * error));
    line
}

fn variance(latency: &Latency) -> f64 {
    latency.standard_deviation.powi(2)
}

/// The share of failed requests. It is worse if the interval of the difference (Newcombe) is above 0, and a
/// regression if the difference is also at least one percentage point.
pub fn error_rate(before: &Figures, after: &Figures, options: &Options) -> FigureComparison {
    let mut line = empty("error rate", "ratio", true);
    line.baseline = before.error_rate();
    line.candidate = after.error_rate();
    line.test = format!(
        "Newcombe's interval, {} and {} requests",
        before.requests, after.requests
    );
    let (Some(from), Some(to)) = (line.baseline, line.candidate) else {
        line.note = Some("no requests on one side".to_owned());
        return line;
    };
    let counts = |figures: &Figures| {
        let failures = figures.failures.min(figures.requests);
        Count::new(failures, figures.requests)
    };
    let interval = match proportion_difference(counts(before), counts(after), options.confidence) {
        Ok(interval) => interval,
        Err(error) => {
            line.note = Some(error.to_string());
            return line;
        }
    };
    let points = |value: f64| format!("{:+.2}", 100.0 * value);
    line.note = Some(format!(
        "{} percentage points, {} to {}",
        points(to - from),
        points(interval.lower),
        points(interval.upper)
    ));
    line.change = match to - from {
        difference if interval.lower > 0.0 && difference >= ERRORS => Change::Regression,
        _ if interval.lower > 0.0 && interval.upper < ERRORS => Change::Worse,
        _ if interval.upper < 0.0 => Change::Improvement,
        _ if interval.upper < ERRORS => Change::NoRegression,
        _ => Change::Inconclusive,
    };
    line
}
