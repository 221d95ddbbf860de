//! The measurements of a test for its page, in a fixed size for any duration of the test.

use std::collections::{BTreeMap, HashMap, VecDeque};

use indexmap::IndexMap;
use report::record::Second;

use super::figures::Group;
use super::history::{History, Point};

/// Maximum number of seconds with values: ten hours.
const MOST_SECONDS: usize = 36_000;
/// A second stays open for this time, because samples arrive in batches.
const OPEN_SECONDS: u32 = 10;
/// Maximum number of distinct endpoints and checks, because scripts choose their names.
const MOST_ENDPOINTS: usize = 200;
const MOST_CHECKS: usize = 200;
/// The name for all beyond the maximum.
const OTHER: &str = "(other)";

/// The key of a group of requests.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    pub method: String,
    pub name: String,
    pub class: Option<String>,
}

/// A request that has ended.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    pub key: Key,
    /// 0: no response.
    pub status: u16,
    /// Why it failed.
    pub error: Option<&'a str>,
    pub micros: u64,
}

/// The measurements of a test.
#[derive(Debug, Default)]
pub struct Measured {
    /// Values of finished seconds, from `first_second` on.
    closed: VecDeque<Second>,
    first_second: u32,
    /// Of finished seconds.
    history: History,
    /// Seconds that may still receive samples.
    open: BTreeMap<u32, Open>,
    pub all: Group,
    pub intended: Group,
    pub endpoints: IndexMap<Key, Group>,
    pub checks: IndexMap<String, (u64, u64)>,
    pub iterations: u64,
    pub dropped_iterations: u64,
    pub sent_bytes: u64,
    pub received_bytes: u64,
    users: Option<f64>,
    last_s: f64,
}

/// The latest seconds.
#[derive(Debug, Default)]
pub struct Recent {
    pub seconds: f64,
    pub all: Group,
    /// Requests and failures by the endpoint's index.
    pub by_endpoint: HashMap<usize, (u64, u64)>,
}

/// A second that may still receive samples.
#[derive(Debug, Default)]
pub struct Open {
    pub group: Group,
    /// Requests and failures by the endpoint's index.
    by_endpoint: HashMap<usize, (u64, u64)>,
    pub users: Option<f64>,
    dropped_iterations: u64,
}

impl Measured {
    /// Counts a request that ended at this time, in seconds from the start of the test.
    pub fn request(&mut self, at_s: f64, request: &Request<'_>) {
        let Request {
            status,
            error,
            micros,
            ..
        } = *request;
        self.all.add(status, error, micros);
        let (place, group) = self.endpoint(&request.key);
        group.add(status, error, micros);
        if let Some(error) = error {
            group.note_error(error, at_s);
        }
        match self.open_second(at_s) {
            Ok(open) => {
                open.group.add(status, error, micros);
                let (requests, failures) = open.by_endpoint.entry(place).or_default();
                *requests += 1;
                *failures += u64::from(error.is_some());
            }
            // Its percentiles are final, but the counts can still change.
            Err(Some(closed)) => {
                closed.requests += 1;
                closed.failures += u64::from(error.is_some());
                let ms = micros as f64 / 1e3;
                closed.min_ms = Some(closed.min_ms.map_or(ms, |min| min.min(ms)));
                closed.max_ms = Some(closed.max_ms.map_or(ms, |max| max.max(ms)));
            }
            Err(None) => {}
        }
    }

    /// Counts the body of the response to a request that ended at this time.
    pub fn content(&mut self, at_s: f64, key: &Key, bytes: u64) {
        let add = |sum: &mut Option<u64>| *sum.get_or_insert(0) += bytes;
        add(&mut self.all.content_bytes);
        add(&mut self.endpoint(key).1.content_bytes);
        match self.open_second(at_s) {
            Ok(open) => add(&mut open.group.content_bytes),
            Err(Some(closed)) => add(&mut closed.content_bytes),
            Err(None) => {}
        }
    }

    /// Counts the same request once more, timed from its planned start.
    pub fn intended(&mut self, micros: u64) {
        self.intended.add(0, None, micros);
    }

    pub fn users(&mut self, at_s: f64, users: f64) {
        self.users = Some(users);
        if let Ok(open) = self.open_second(at_s) {
            open.users = Some(users);
        }
    }

    pub fn check(&mut self, name: &str, held: bool) {
        let is_known = self.checks.contains_key(name);
        let name = if is_known || self.checks.len() < MOST_CHECKS {
            name
        } else {
            OTHER
        };
        let (passes, fails) = self.checks.entry(name.to_owned()).or_default();
        *if held { passes } else { fails } += 1;
    }

    pub fn dropped(&mut self, at_s: f64, count: u64) {
        self.dropped_iterations += count;
        match self.open_second(at_s) {
            Ok(open) => open.dropped_iterations += count,
            Err(Some(closed)) => closed.dropped_iterations += count,
            Err(None) => {}
        }
    }

    /// Advances the test to this time, with or without samples.
    pub fn reach(&mut self, at_s: f64) {
        self.last_s = self.last_s.max(at_s);
    }

    /// The current number of users.
    pub fn current_users(&self) -> Option<f64> {
        self.users
    }

    /// The latest time of a sample, in seconds from the start of the test.
    pub fn last_s(&self) -> f64 {
        self.last_s
    }

    /// Seconds whose figures are no longer kept.
    pub fn forgotten_s(&self) -> u32 {
        self.first_second
    }

    /// The values of each second up to now, including seconds without samples.
    pub fn seconds(&self) -> Vec<Second> {
        let mut users = None;
        let mut all: Vec<Second> = self.closed.iter().cloned().collect();
        let next = self.first_second + u32::try_from(all.len()).unwrap_or(u32::MAX);
        let end = self.last_s.max(0.0).floor() as u32;
        for second in next..=end {
            all.push(match self.open.get(&second) {
                Some(open) => open.figures(second),
                None => silent(second),
            });
        }
        for second in &mut all {
            users = second.users.or(users);
            second.users = users;
        }
        all
    }

    /// The last whole seconds, at most [`OPEN_SECONDS`]; Locust calls this current.
    pub fn recent(&self) -> Recent {
        let end = self.last_s.max(0.0).floor() as u32;
        let begin = end.saturating_sub(OPEN_SECONDS);
        let mut recent = Recent {
            seconds: f64::from(end - begin).max(1.0),
            ..Recent::default()
        };
        for (_, open) in self.open.range(begin..end) {
            recent.all.merge(&open.group);
            for (place, (requests, failures)) in &open.by_endpoint {
                let sum = recent.by_endpoint.entry(*place).or_default();
                sum.0 += requests;
                sum.1 += failures;
            }
        }
        recent
    }

    /// The course until now.
    pub fn history(&self) -> VecDeque<Point> {
        let mut history = self.history.clone();
        let next = self.first_second + u32::try_from(self.closed.len()).unwrap_or(u32::MAX);
        for second in next..=self.last_s.max(0.0).floor() as u32 {
            history.add(second, self.open.get(&second));
        }
        history.points()
    }

    /// Resets the values, not the time.
    pub fn reset(&mut self) {
        *self = Self {
            first_second: self.last_s.max(0.0).floor() as u32,
            last_s: self.last_s,
            users: self.users,
            ..Self::default()
        };
    }

    /// The group of an endpoint, which beyond the maximum is that of all others, and its index.
    fn endpoint(&mut self, key: &Key) -> (usize, &mut Group) {
        let is_known = self.endpoints.contains_key(key);
        let key = if is_known || self.endpoints.len() < MOST_ENDPOINTS {
            key.clone()
        } else {
            Key {
                method: String::new(),
                name: OTHER.to_owned(),
                class: None,
            }
        };
        let entry = self.endpoints.entry(key);
        (entry.index(), entry.or_default())
    }

    /// The second at this time; `Err` with its values if it is finished, without if they are no longer kept.
    fn open_second(&mut self, at_s: f64) -> Result<&mut Open, Option<&mut Second>> {
        self.reach(at_s);
        self.close_old();
        let second = at_s.max(0.0).floor() as u32;
        let next = self.first_second + u32::try_from(self.closed.len()).unwrap_or(u32::MAX);
        if second >= next {
            return Ok(self.open.entry(second).or_default());
        }
        let place = second.checked_sub(self.first_second);
        Err(place.and_then(|place| self.closed.get_mut(place as usize)))
    }

    /// Finishes the seconds that expect no more samples.
    fn close_old(&mut self) {
        let until = (self.last_s.max(0.0).floor() as u32).saturating_sub(OPEN_SECONDS);
        let mut next = self.first_second + u32::try_from(self.closed.len()).unwrap_or(u32::MAX);
        // Of a gap longer than the maximum only the end matters.
        let least = until.saturating_sub(u32::try_from(MOST_SECONDS).unwrap_or(u32::MAX));
        if next < least {
            self.closed.clear();
            self.open = self.open.split_off(&least);
            (self.first_second, next) = (least, least);
        }
        while next < until {
            let open = self.open.remove(&next);
            self.history.add(next, open.as_ref());
            let figures = open.map_or_else(|| silent(next), |open| open.figures(next));
            self.closed.push_back(figures);
            next += 1;
            if self.closed.len() > MOST_SECONDS {
                self.closed.pop_front();
                self.first_second += 1;
            }
        }
    }
}

impl Open {
    fn figures(&self, second: u32) -> Second {
        Second {
            at_s: f64::from(second),
            users: self.users,
            dropped_iterations: self.dropped_iterations,
            requests: self.group.requests,
            failures: self.group.failures,
            mean_ms: self.group.mean_ms(),
            p50_ms: self.group.percentile_ms(0.5),
            p95_ms: self.group.percentile_ms(0.95),
            p99_ms: self.group.percentile_ms(0.99),
            min_ms: self.group.extremes_ms().map(|[min, _]| min),
            max_ms: self.group.extremes_ms().map(|[_, max]| max),
            content_bytes: self.group.content_bytes,
        }
    }
}

fn silent(second: u32) -> Second {
    Second {
        at_s: f64::from(second),
        ..Second::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, micros: u64) -> Request<'static> {
        Request {
            key: Key {
                method: "GET".to_owned(),
                name: name.to_owned(),
                class: None,
            },
            status: 200,
            error: None,
            micros,
        }
    }

    #[test]
    fn every_second_has_figures_and_late_samples_are_still_counted() {
        let mut measured = Measured::default();
        measured.users(0.0, 3.0);
        measured.request(0.2, &request("a", 1000));
        measured.request(0.9, &request("a", 3000));
        measured.request(30.0, &request("a", 5000));
        // The first second is over by now.
        measured.request(0.5, &request("a", 9000));
        for (at_s, bytes) in [(30.0, 7), (0.5, 5), (0.5, 6)] {
            measured.content(at_s, &request("a", 0).key, bytes);
        }
        let seconds = measured.seconds();
        assert_eq!(seconds.len(), 31);
        assert_eq!((seconds[0].requests, seconds[0].p99_ms), (3, Some(3.0)));
        assert_eq!((seconds[7].requests, seconds[7].p99_ms), (0, None));
        let of = |second: &Second| (second.min_ms, second.max_ms, second.content_bytes);
        assert_eq!(of(&seconds[0]), (Some(1.0), Some(9.0), Some(11)));
        assert_eq!(of(&seconds[7]), (None, None, None));
        assert_eq!(of(&seconds[30]), (Some(5.0), Some(5.0), Some(7)));
        assert_eq!((seconds[30].requests, seconds[30].users), (1, Some(3.0)));
        assert_eq!(measured.all.requests, 4);
    }

    #[test]
    fn the_history_has_a_point_every_five_seconds_of_the_ten_before_it() {
        let mut measured = Measured::default();
        measured.users(0.5, 3.0);
        for second in 0..26_u32 {
            let at_s = f64::from(second) + 0.5;
            let micros = if second < 15 { 10_000 } else { 30_000 };
            measured.request(at_s, &request("a", micros));
            measured.request(at_s, &request("a", micros));
        }
        let history = measured.history();
        let times: Vec<u32> = history.iter().map(|point| point.at_s).collect();
        assert_eq!(times, [5, 10, 15, 20, 25]);
        let rates: Vec<f64> = history.iter().map(|point| point.requests_per_s).collect();
        assert_eq!(rates, [2.0; 5]);
        // Of the ten seconds before 20 the half had 30 ms; before 25 all.
        let near = |found: f64, expected: f64| (found - expected).abs() <= expected * 1e-3;
        assert!(near(history[2].p95_ms, 10.0) && near(history[3].p95_ms, 30.0));
        assert!(near(history[3].p50_ms, 10.0) && near(history[4].p50_ms, 30.0));
        assert!(near(history[4].mean_ms, 18.0), "{history:?}");
        assert_eq!(history[4].users, 3.0);
        measured.reset();
        assert!(measured.history().len() <= 1);
    }

    #[test]
    fn eleven_hours_and_forty_thousand_names_have_a_bounded_size() {
        let mut measured = Measured::default();
        for second in 0..40_000_u32 {
            measured.request(f64::from(second), &request(&format!("/item/{second}"), 500));
            measured.check(&format!("check {second}"), true);
        }
        assert_eq!(measured.endpoints.len(), MOST_ENDPOINTS + 1);
        assert_eq!(measured.checks.len(), MOST_CHECKS + 1);
        assert!(measured.open.len() <= OPEN_SECONDS as usize + 1);
        assert!(measured.seconds().len() <= MOST_SECONDS + OPEN_SECONDS as usize + 1);
        assert_eq!(measured.all.requests, 40_000);
        assert!(measured.forgotten_s() > 0);
        let counted: u64 = measured
            .endpoints
            .values()
            .map(|group| group.requests)
            .sum();
        assert_eq!(counted, 40_000);
    }

    #[test]
    fn a_clock_that_jumps_ahead_costs_no_time_and_no_memory() {
        let mut measured = Measured::default();
        measured.request(1.0, &request("a", 1));
        measured.request(4e9, &request("a", 1));
        assert!(measured.seconds().len() <= MOST_SECONDS + OPEN_SECONDS as usize + 1);
    }
}
