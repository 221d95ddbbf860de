//! Figures of a period of a test.

use std::collections::BTreeMap;

use indexmap::IndexMap;
use report::record::{Endpoint, EndpointSecond, Figures, Second};

use super::executed::length_s;
use super::latency::latency;
use super::store::{Cells, Counts, Key, Probes, Series, Store};

/// The evaluated period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The whole test.
    All,
    /// A phase, by its index among those passed to the store.
    Phase(usize),
}

impl Window {
    fn has(self, phase: u32) -> bool {
        match self {
            Self::All => true,
            Self::Phase(wanted) => phase as usize == wanted,
        }
    }
}

/// The figures of all requests of a window that consists of these periods, in seconds from the start of the test.
pub fn figures(store: &Store, window: Window, periods: &[[f64; 2]]) -> Figures {
    let cells = |cells| chosen(cells, window).collect::<Vec<_>>();
    let content = store.contents.iter();
    let content = content.filter(|((_, phase, _), _)| window.has(*phase));
    let all = Group {
        latencies: cells(&store.latencies),
        intended: cells(&store.intended),
        content_bytes: content
            .map(|(_, bytes)| *bytes)
            .reduce(|sum, more| sum + more),
    };
    let counts = store.counts.iter();
    let counts = counts.filter(|((_, phase), _)| window.has(*phase)).fold(
        Counts::default(),
        |sum, (_, counts)| Counts {
            iterations: sum.iterations + counts.iterations,
            dropped_iterations: sum.dropped_iterations + counts.dropped_iterations,
            sent_bytes: sum.sent_bytes + counts.sent_bytes,
            received_bytes: sum.received_bytes + counts.received_bytes,
        },
    );
    Figures {
        users: mean_users(store, periods),
        sent_bytes: counts.sent_bytes,
        received_bytes: counts.received_bytes,
        ..all.figures(store, length_s(periods))
    }
}

/// The same by endpoint and class, in the order of first use.
pub fn endpoints(store: &Store, window: Window, periods: &[[f64; 2]]) -> Vec<Endpoint> {
    let mut groups: IndexMap<(&str, &str, Option<&str>), Group<'_>> = IndexMap::new();
    let of = |series: u32| {
        let series = store.series(series);
        (
            series.method.as_str(),
            series.name.as_str(),
            series.class.as_deref(),
        )
    };
    for (key, values) in chosen(&store.latencies, window) {
        let group = groups.entry(of(key.2)).or_default();
        group.latencies.push((key, values));
    }
    for (key, values) in chosen(&store.intended, window) {
        let group = groups.entry(of(key.2)).or_default();
        group.intended.push((key, values));
    }
    for (key, bytes) in &store.contents {
        if window.has(key.1) {
            let sum = &mut groups.entry(of(key.2)).or_default().content_bytes;
            *sum = Some(sum.unwrap_or(0) + bytes);
        }
    }
    let seconds = length_s(periods);
    let endpoint = |((method, name, class), group): ((&str, &str, Option<&str>), Group<'_>)| {
        let (statuses, errors) = group.told_apart(store);
        Endpoint {
            method: method.to_owned(),
            name: name.to_owned(),
            class: class.map(str::to_owned),
            figures: group.figures(store, seconds),
            statuses,
            errors,
            error_times: group.error_times(store),
            seconds: Vec::new(),
        }
    };
    groups.into_iter().map(endpoint).collect()
}

/// Maximum number of seconds of endpoints in a record.
const MOST_ENDPOINT_SECONDS: usize = 50_000;

/// Adds the seconds of the whole test to endpoints: the busiest ones first, as far as there is space.
pub fn fill_endpoint_seconds(store: &Store, endpoints: &mut [Endpoint]) {
    let mut by_endpoint = by_endpoint(store);
    let mut order: Vec<usize> = (0..endpoints.len()).collect();
    order.sort_by_key(|place| std::cmp::Reverse(endpoints[*place].figures.requests));
    let mut room = MOST_ENDPOINT_SECONDS;
    for place in order {
        let endpoint = &mut endpoints[place];
        let key = name_of(&endpoint.method, &endpoint.name, endpoint.class.as_deref());
        let seconds = by_endpoint.swap_remove(&key).unwrap_or_default();
        if seconds.len() > room {
            break;
        }
        room -= seconds.len();
        let of = |(second, cells): (u32, Vec<(&Series, &[u32])>)| {
            let figures = of_cells(&cells);
            EndpointSecond {
                at_s: second,
                requests: figures.requests,
                failures: figures.failures,
                p50_ms: figures.p50_ms.unwrap_or(0.0),
                p95_ms: figures.p95_ms.unwrap_or(0.0),
                p99_ms: figures.p99_ms.unwrap_or(0.0),
            }
        };
        endpoint.seconds = seconds.into_iter().map(of).collect();
    }
}

/// Method, name and class of an endpoint.
type Name = (String, String, Option<String>);
type BySecond<'a> = BTreeMap<u32, Vec<(&'a Series, &'a [u32])>>;

fn name_of(method: &str, name: &str, class: Option<&str>) -> Name {
    (method.to_owned(), name.to_owned(), class.map(str::to_owned))
}

/// The cells of each endpoint by second.
fn by_endpoint(store: &Store) -> IndexMap<Name, BySecond<'_>> {
    let mut found: IndexMap<Name, BySecond<'_>> = IndexMap::new();
    for ((second, _, id), values) in &store.latencies {
        let series = store.series(*id);
        let key = name_of(&series.method, &series.name, series.class.as_deref());
        let seconds = found.entry(key).or_default().entry(*second).or_default();
        seconds.push((series, values.as_slice()));
    }
    found
}

/// One entry for each second of a test of that length.
pub fn seconds(store: &Store, duration_s: f64) -> Vec<Second> {
    let length = duration_s.max(0.0).ceil() as u32;
    (0..length).map(|place| second(store, place)).collect()
}

/// The entry of one second, computed without the others.
pub fn second(store: &Store, place: u32) -> Second {
    let cells = store
        .latencies
        .range((place, 0, 0)..=(place, u32::MAX, u32::MAX));
    let cells: Vec<(&Series, &[u32])> = cells
        .map(|((_, _, series), values)| (store.series(*series), values.as_slice()))
        .collect();
    let contents = store
        .contents
        .range((place, 0, 0)..=(place, u32::MAX, u32::MAX));
    let counts = store.counts.range((place, 0)..=(place, u32::MAX));
    let users = store.users.range(..=place).next_back();
    Second {
        at_s: f64::from(place),
        users: users.map(|(_, users)| *users),
        content_bytes: contents
            .map(|(_, bytes)| *bytes)
            .reduce(|sum, more| sum + more),
        dropped_iterations: counts.map(|(_, counts)| counts.dropped_iterations).sum(),
        ..of_cells(&cells)
    }
}

/// One entry for each second with probes, whether they received a response or not.
pub fn probes(store: &Store) -> Vec<Second> {
    let second = |(at, probes): (&u32, &Probes)| Second {
        at_s: f64::from(*at),
        ..of_values(probes.micros.clone(), probes.failures)
    };
    store.probes.iter().map(second).collect()
}

fn of_cells(cells: &[(&Series, &[u32])]) -> Second {
    let values = cells.iter().flat_map(|(_, cell)| cell.iter().copied());
    let failed = cells.iter().filter(|(series, _)| series.failed);
    let failures = failed.map(|(_, cell)| cell.len() as u64).sum();
    of_values(values.collect(), failures)
}

/// A second with these response times in microseconds.
fn of_values(mut values: Vec<u32>, failures: u64) -> Second {
    values.sort_unstable();
    let n = values.len();
    let ms = |micros: &u32| f64::from(*micros) / 1e3;
    let percentile = |quantile: f64| {
        let rank = ((quantile * n as f64).ceil() as usize).clamp(1, n.max(1));
        values.get(rank - 1).map(ms)
    };
    let sum: f64 = values.iter().map(|value| f64::from(*value)).sum();
    Second {
        requests: n as u64,
        failures,
        mean_ms: (n > 0).then(|| sum / n as f64 / 1e3),
        p50_ms: percentile(0.5),
        p95_ms: percentile(0.95),
        p99_ms: percentile(0.99),
        min_ms: values.first().map(ms),
        max_ms: values.last().map(ms),
        ..Second::default()
    }
}

fn chosen(cells: &Cells, window: Window) -> impl Iterator<Item = (Key, &[u32])> {
    cells
        .iter()
        .filter(move |((_, phase, _), _)| window.has(*phase))
        .map(|(key, values)| (*key, values.as_slice()))
}

fn mean_users(store: &Store, periods: &[[f64; 2]]) -> Option<f64> {
    let is_within = |second: u32| {
        let (begin, end) = (f64::from(second), f64::from(second) + 1.0);
        periods
            .iter()
            .any(|period| period[0] < end && begin < period[1])
    };
    let users = store.users.iter();
    let within: Vec<f64> = users
        .filter(|(second, _)| is_within(**second))
        .map(|(_, users)| *users)
        .collect();
    (!within.is_empty()).then(|| within.iter().sum::<f64>() / within.len() as f64)
}

/// Cells that are evaluated together.
#[derive(Default)]
struct Group<'a> {
    latencies: Vec<(Key, &'a [u32])>,
    intended: Vec<(Key, &'a [u32])>,
    content_bytes: Option<u64>,
}

impl Group<'_> {
    fn figures(&self, store: &Store, seconds: f64) -> Figures {
        let values: Vec<&[u32]> = self.latencies.iter().map(|(_, values)| *values).collect();
        let intended: Vec<&[u32]> = self.intended.iter().map(|(_, values)| *values).collect();
        let requests: u64 = values.iter().map(|cell| cell.len() as u64).sum();
        let failed = self.latencies.iter();
        let failed = failed.filter(|(key, _)| store.series(key.2).failed);
        Figures {
            seconds,
            requests,
            failures: failed.map(|(_, cell)| cell.len() as u64).sum(),
            requests_per_s: (seconds > 0.0).then(|| requests as f64 / seconds),
            latency: latency(&values),
            intended_latency: latency(&intended),
            content_bytes: self.content_bytes,
            ..Figures::default()
        }
    }

    /// Requests by status, and failed ones by message, the most frequent first.
    fn told_apart(&self, store: &Store) -> (BTreeMap<String, u64>, Vec<(String, u64)>) {
        let mut statuses: BTreeMap<String, u64> = BTreeMap::new();
        let mut errors: IndexMap<&str, u64> = IndexMap::new();
        for (key, values) in &self.latencies {
            let series = store.series(key.2);
            let count = values.len() as u64;
            *statuses.entry(series.status.to_string()).or_default() += count;
            if let Some(error) = &series.error {
                *errors.entry(error).or_default() += count;
            }
        }
        let errors = errors
            .into_iter()
            .map(|(text, count)| (text.to_owned(), count));
        let mut errors: Vec<(String, u64)> = errors.collect();
        errors.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        (statuses, errors)
    }

    /// The first and the last second of each message.
    fn error_times(&self, store: &Store) -> BTreeMap<String, [f64; 2]> {
        let mut times: BTreeMap<String, [f64; 2]> = BTreeMap::new();
        for (key, _) in &self.latencies {
            if let Some(error) = &store.series(key.2).error {
                let at_s = f64::from(key.0);
                let [first, last] = times.entry(error.clone()).or_insert([at_s; 2]);
                (*first, *last) = (first.min(at_s), last.max(at_s));
            }
        }
        times
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Mark;
    use super::*;

    fn series(name: &str, status: u16) -> Series {
        Series {
            method: "GET".to_owned(),
            name: name.to_owned(),
            class: None,
            status,
            failed: status >= 400,
            error: (status >= 400).then(|| format!("Status code: {status}")),
        }
    }

    fn two_phases() -> Store {
        let mut store = Store::default();
        let marks = [(0.0, 1.5), (1.5, 3.0)].map(|(begin_s, end_s)| Mark { begin_s, end_s });
        store.begin(1_000, marks);
        let (good, bad) = (
            store.intern(series("a", 200)),
            store.intern(series("a", 500)),
        );
        for (at_s, id, micros) in [
            (0.2, good, 1000),
            (1.4, bad, 3000),
            (1.6, good, 5000),
            (3.2, good, 9000),
        ] {
            store.add_latency(at_s, id, micros, false);
        }
        store.add_content(0.2, good, 90);
        store.add_content(1.4, bad, 30);
        store.add_content(1.6, good, 90);
        store.add_users(0.5, 2.0);
        store.add_users(1.5, 4.0);
        store
    }

    #[test]
    fn phases_are_cut_by_time_and_what_ends_later_is_in_none() {
        let store = two_phases();
        let first = figures(&store, Window::Phase(0), &[[0.0, 1.5]]);
        assert_eq!((first.requests, first.failures), (2, 1));
        assert_eq!(first.users, Some(3.0));
        let second = figures(&store, Window::Phase(1), &[[1.5, 3.0]]);
        assert_eq!((second.requests, second.failures), (1, 0));
        let all = figures(&store, Window::All, &[[0.0, 3.2]]);
        assert_eq!(all.requests, 4);
        assert_eq!(all.latency.map(|latency| latency.max), Some(9.0));
    }

    #[test]
    fn time_between_periods_counts_neither_for_rates_nor_for_users() {
        let store = two_phases();
        let whole = figures(&store, Window::All, &[[0.0, 1.0], [2.0, 3.0]]);
        assert_eq!((whole.requests, whole.seconds), (4, 2.0));
        assert_eq!(whole.requests_per_s, Some(2.0));
        assert_eq!(whole.users, Some(2.0));
        let endpoints = endpoints(&store, Window::All, &[[0.0, 1.0], [2.0, 3.0]]);
        assert_eq!(endpoints[0].figures.requests_per_s, Some(2.0));
    }

    #[test]
    fn an_endpoint_tells_its_statuses_and_errors_apart() {
        let store = two_phases();
        let endpoints = endpoints(&store, Window::All, &[[0.0, 3.2]]);
        assert_eq!(endpoints.len(), 1);
        assert_eq!(endpoints[0].statuses["200"], 3);
        assert_eq!(endpoints[0].errors, [("Status code: 500".to_owned(), 1)]);
        let times = [("Status code: 500".to_owned(), [1.0, 1.0])];
        assert_eq!(endpoints[0].error_times, times.into());
    }

    #[test]
    fn an_endpoint_has_the_seconds_with_its_requests() {
        let store = two_phases();
        let mut endpoints = endpoints(&store, Window::All, &[[0.0, 3.2]]);
        fill_endpoint_seconds(&store, &mut endpoints);
        let seconds = endpoints[0].seconds.iter();
        let seconds: Vec<(u32, u64, u64)> = seconds
            .map(|second| (second.at_s, second.requests, second.failures))
            .collect();
        assert_eq!(seconds, [(0, 1, 0), (1, 2, 1), (3, 1, 0)]);
        assert_eq!(endpoints[0].seconds[1].p95_ms, 5.0);
    }

    #[test]
    fn every_second_has_an_entry_also_the_silent_ones() {
        let seconds = seconds(&two_phases(), 3.2);
        let requests: Vec<u64> = seconds.iter().map(|second| second.requests).collect();
        assert_eq!(requests, [1, 2, 0, 1]);
        assert_eq!(seconds[2].p95_ms, None);
        assert_eq!(seconds[2].users, Some(4.0));
        assert_eq!(seconds[1].p95_ms, Some(5.0));
        let extremes = |place: usize| (seconds[place].min_ms, seconds[place].max_ms);
        assert_eq!(extremes(1), (Some(3.0), Some(5.0)));
        assert_eq!(extremes(2), (None, None));
        let contents: Vec<Option<u64>> =
            seconds.iter().map(|second| second.content_bytes).collect();
        assert_eq!(contents, [Some(90), Some(120), None, None]);
    }
}
