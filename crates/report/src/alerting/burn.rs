//! Burn-rate alerts with two windows, for an error budget that is used up too fast.
//!
//! The method and the factors are those of Google's SRE workbook, "Alerting on SLOs". Its windows are relative to a
//! month (page at 14.4 times the budget over an hour and over 5 min, at 6 times over 6 h and over 30 min); those of a
//! test are shares of its length: a twelfth and a half, each with a short window of a twelfth of it.

use super::rules::{quoted, selector};
use super::series::{scrape_s, scraped};
use super::{Alert, Figure, alerts};
use crate::record::{RunRecord, TestRecord};

/// Factor, length of the long window as a share of the test's length, part of the name, severity.
const WINDOWS: [(f64, f64, &str, &str); 2] = [
    (14.4, 1.0 / 12.0, "Fast", "critical"),
    (6.0, 1.0 / 2.0, "Slow", "warning"),
];
/// The short window, as a share of the long one.
const SHORT: f64 = 1.0 / 12.0;
/// Means that are closer to the bound than this are ambiguous.
const CLEAR: f64 = 1e-9;
/// Minimum number of scrapes in the shortest window.
const FEWEST: u32 = 2;

/// One alert.
#[derive(Debug, Clone, PartialEq)]
pub struct Burn {
    pub name: String,
    pub severity: &'static str,
    /// The share of requests that may fail.
    pub budget: f64,
    /// The multiple of the rate that the budget allows.
    pub factor: f64,
    figure: Figure,
    /// Number of scrapes in the windows, the long one first.
    windows: [u32; 2],
    scrape_s: u32,
    judgements: Vec<String>,
}

/// The alerts of a test, from its strictest bound on failures or successes. There is no alert if it would require more
/// failures than there are requests.
pub fn burns(test: &TestRecord) -> Vec<Burn> {
    let budget = |alert: &Alert| match alert.figure {
        Figure::ErrorRatio if alert.operator.is_above() => Some(alert.bound),
        Figure::SuccessRatio if !alert.operator.is_above() => Some(1.0 - alert.bound),
        _ => None,
    };
    let all = alerts(test).0.into_iter();
    let all = all.filter_map(|alert| Some((budget(&alert)?, alert)));
    let all = all.filter(|(budget, _)| *budget > 0.0);
    let Some((budget, alert)) = all.min_by(|a, b| a.0.total_cmp(&b.0)) else {
        return Vec::new();
    };
    let scrape_s = scrape_s(test);
    let scrapes = |length_s: f64| ((length_s / f64::from(scrape_s)).round() as u32).max(FEWEST);
    let possible = WINDOWS.iter().filter(|(factor, ..)| factor * budget < 1.0);
    possible
        .map(|(factor, share, word, severity)| {
            let long_s = test.duration_s * share;
            Burn {
                name: format!("{}Burn{word}", alert.name),
                severity,
                budget,
                factor: *factor,
                figure: alert.figure.clone(),
                windows: [scrapes(long_s), scrapes(long_s * SHORT)],
                scrape_s,
                judgements: alert.judgements.clone(),
            }
        })
        .collect()
}

impl Burn {
    /// The bound on the share of failures.
    pub fn bound(&self) -> f64 {
        // Removes digits that the multiplication adds.
        (self.factor * self.budget * 1e10).round() / 1e10
    }

    /// `avg_over_time(…[long]) > bound and avg_over_time(…[short]) > bound`.
    pub(super) fn expression(&self, run: &RunRecord, test: &TestRecord) -> String {
        let title = test.title();
        let labels = [("suite", run.suite.as_str()), ("test", title.as_str())];
        let series = format!("{}{}", self.figure.series(), selector(&labels));
        let failed = |scrapes: u32| {
            let mean = format!("avg_over_time({series}[{}])", self.length(scrapes));
            match self.figure {
                Figure::SuccessRatio => format!("1 - {mean}"),
                _ => mean,
            }
        };
        let [long, short] = self.windows.map(failed);
        let bound = self.bound();
        format!("{long} > {bound} and {short} > {bound}")
    }

    /// Half a scrape longer, so that no scrape is at the edge.
    fn length(&self, scrapes: u32) -> String {
        format!("{}ms", (2 * scrapes - 1) * self.scrape_s * 500)
    }

    /// The alert as a rule.
    pub(super) fn rule(&self, run: &RunRecord, test: &TestRecord) -> String {
        let value = "{{ $value | printf \"%.3f\" }}";
        format!(
            "      - alert: {}\n        expr: {}\n        labels: {{ severity: {} }}\n        annotations:\n          \
             summary: {}\n",
            self.name,
            quoted(&self.expression(run, test)),
            self.severity,
            quoted(&self.summary(test, value)),
        )
    }

    /// The summary with the value of the template or of a unit test.
    pub(super) fn summary(&self, test: &TestRecord, value: &str) -> String {
        format!(
            "The share of failed requests of {} is {value}, more than {} times the budget of {} (from {})",
            test.title().replace("{{", "{ {"),
            self.factor,
            self.budget,
            self.judgements.join(", ").replace("{{", "{ {"),
        )
    }

    /// The seconds at which it is certain whether the alert fires, with its value if it does. At the others a mean is
    /// at its bound, where the result depends on the order of additions.
    pub(super) fn evaluations(&self, test: &TestRecord) -> Vec<(usize, Option<f64>)> {
        let scraped = scraped(test, &self.figure);
        let step = self.scrape_s as usize;
        let bound = self.bound();
        let evaluate = |now: usize| {
            let [long, short] = self
                .windows
                .map(|scrapes| self.mean(&scraped, now, scrapes));
            let is_clear = |mean: &f64| (mean - bound).abs() > CLEAR;
            if !long.iter().chain(&short).all(is_clear) {
                return None;
            }
            let fires = long.filter(|long| *long > bound && short.is_some_and(|it| it > bound));
            Some((now, fires))
        };
        let length = scraped.len().saturating_sub(1) * step;
        (0..=length).filter_map(evaluate).collect()
    }

    /// The mean share of failures in the window that ends now; `None` without a scrape.
    fn mean(&self, scraped: &[Option<f64>], now: usize, scrapes: u32) -> Option<f64> {
        let step = self.scrape_s as usize;
        let last = now / step;
        // The window has an odd number of half steps, so that no scrape is at its edge.
        let reach = (2 * scrapes as usize - 1) * step;
        let first = (2 * now)
            .checked_sub(reach)
            .map_or(0, |begin| begin / (2 * step) + 1);
        let known: Vec<f64> = scraped
            .get(first..=last)?
            .iter()
            .flatten()
            .copied()
            .collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        (!known.is_empty()).then_some(match self.figure {
            Figure::SuccessRatio => 1.0 - mean,
            _ => mean,
        })
    }
}
