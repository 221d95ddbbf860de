//! The course of a test as Locust charts it: a point every five seconds, each of the ten seconds before it.

use std::collections::VecDeque;

use super::figures::Group;
use super::measured::Open;

/// Seconds between two points.
const STEP: u32 = 5;
/// Maximum number of points: ten hours.
const MOST: usize = 7200;

/// What is measured, second by second.
#[derive(Debug, Clone, Default)]
pub struct History {
    points: VecDeque<Point>,
    /// The steps before the next point, the last one unfinished.
    steps: [Group; 2],
    requests: u64,
    sum_ms: f64,
    users: f64,
}

/// 0 where nothing was measured, as in Locust.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Seconds from the start of the test.
    pub at_s: u32,
    pub requests_per_s: f64,
    pub failures_per_s: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
    /// Of all requests so far.
    pub mean_ms: f64,
    pub users: f64,
}

impl History {
    /// Adds the next second, which may be without samples.
    pub fn add(&mut self, second: u32, open: Option<&Open>) {
        if second > 0 && second.is_multiple_of(STEP) {
            let point = self.point(second);
            self.points.push_back(point);
            if self.points.len() > MOST {
                self.points.pop_front();
            }
            self.steps.swap(0, 1);
            self.steps[1] = Group::default();
        }
        let Some(open) = open else { return };
        self.users = open.users.unwrap_or(self.users);
        self.requests += open.group.requests;
        self.sum_ms += open.group.mean_ms().unwrap_or(0.0) * open.group.requests as f64;
        self.steps[1].merge(&open.group);
    }

    pub fn points(self) -> VecDeque<Point> {
        self.points
    }

    fn point(&self, at_s: u32) -> Point {
        let mut window = self.steps[0].clone();
        window.merge(&self.steps[1]);
        let seconds = f64::from(at_s.min(2 * STEP));
        let percentile = |quantile| window.percentile_ms(quantile).unwrap_or(0.0);
        Point {
            at_s,
            requests_per_s: window.requests as f64 / seconds,
            failures_per_s: window.failures as f64 / seconds,
            p50_ms: percentile(0.5),
            p95_ms: percentile(0.95),
            mean_ms: self.sum_ms / self.requests.max(1) as f64,
            users: self.users,
        }
    }
}
