//! The time in which a test was executed.

use super::store::{OUTSIDE, Store};

/// The executed periods of a test that lasted `length_s`, in seconds from its start, in order and apart: its phases as far
/// as they took place, and the requests that ended after them. Times in which nothing was planned are in none: the wait
/// for idle users at the end, the time between two runs of the driver, and phases that an early end prevented. A
/// test without phases is executed from its first to its last request.
pub fn executed(store: &Store, length_s: f64) -> Vec<[f64; 2]> {
    let mut periods: Vec<[f64; 2]> = Vec::new();
    let marks = store.marks().iter();
    let took_place = marks.filter(|mark| mark.begin_s < length_s && mark.begin_s < mark.end_s);
    for mark in took_place {
        let end_s = mark.end_s.min(length_s);
        match periods.last_mut() {
            Some([_, last]) if mark.begin_s <= *last => *last = last.max(end_s),
            _ => periods.push([mark.begin_s, end_s]),
        }
    }
    if periods.is_empty() {
        return vec![store.requests_s().unwrap_or([0.0, length_s])];
    }
    let nexts: Vec<f64> = periods.iter().skip(1).map(|next| next[0]).collect();
    let last_s = store.requests_s().map_or(0.0, |ends| ends[1]);
    for (place, [_, end_s]) in periods.iter_mut().enumerate() {
        let next_s = nexts.get(place).copied().unwrap_or(f64::INFINITY);
        let late = last_second_after(store, *end_s, next_s);
        // The end of a request is known to the second, that of the last one exactly.
        let late_s = late.map(|second| (f64::from(second) + 1.0).min(last_s).min(next_s));
        *end_s = late_s.unwrap_or(*end_s).max(*end_s);
    }
    periods
}

/// The total length of periods in seconds.
pub fn length_s(periods: &[[f64; 2]]) -> f64 {
    periods.iter().map(|[begin_s, end_s]| end_s - begin_s).sum()
}

/// The last second with the end of a request that belongs to no phase, between two times.
fn last_second_after(store: &Store, from_s: f64, until_s: f64) -> Option<u32> {
    let from = from_s.max(0.0) as u32;
    // A conversion saturates.
    let until = until_s.ceil() as u32;
    let mut cells = store.latencies.range((from, 0, 0)..(until, 0, 0)).rev();
    let last = cells.find(|((_, phase, _), _)| *phase == OUTSIDE);
    last.map(|((second, ..), _)| *second)
}

#[cfg(test)]
mod tests {
    use super::super::store::{Mark, Series};
    use super::*;

    fn mark(begin_s: f64, end_s: f64) -> Mark {
        Mark { begin_s, end_s }
    }

    /// A test that began at second 100, with requests that end at these times.
    fn add(store: &mut Store, ends: &[f64]) {
        let series = store.intern(Series {
            method: "GET".to_owned(),
            name: "/".to_owned(),
            class: None,
            status: 200,
            failed: false,
            error: None,
        });
        for at_s in ends {
            store.add_latency(*at_s, series, 1_000, false);
        }
    }

    #[test]
    fn a_wait_for_idle_users_is_not_executed() {
        let mut store = Store::default();
        store.begin(100_000, [mark(0.0, 2.0), mark(2.0, 10.0)]);
        add(&mut store, &[1.0, 9.0]);
        assert_eq!(executed(&store, 15.0), [[0.0, 10.0]]);
        // A request that is answered late is executed until then.
        add(&mut store, &[12.25]);
        assert_eq!(executed(&store, 15.0), [[0.0, 12.25]]);
        assert_eq!(executed(&store, 8.0)[0][0], 0.0);
    }

    #[test]
    fn steps_that_an_early_end_prevented_are_not_executed() {
        let mut store = Store::default();
        store.begin(
            100_000,
            [mark(0.0, 10.0), mark(10.0, 20.0), mark(20.0, 30.0)],
        );
        add(&mut store, &[5.0, 11.0]);
        store.end(111.5);
        // An interrupted user takes its time; then the ladder goes back.
        store.begin(130_000, [mark(0.0, 5.0)]);
        add(&mut store, &[31.0]);
        assert_eq!(executed(&store, 36.0), [[0.0, 11.5], [30.0, 35.0]]);
        assert_eq!(length_s(&executed(&store, 36.0)), 16.5);
        // A request that ends between the two is executed to the second.
        let mut store = Store::default();
        store.begin(100_000, [mark(0.0, 10.0)]);
        add(&mut store, &[12.5]);
        store.begin(130_000, [mark(0.0, 5.0)]);
        add(&mut store, &[31.0]);
        assert_eq!(executed(&store, 36.0), [[0.0, 13.0], [30.0, 35.0]]);
    }

    #[test]
    fn a_test_without_phases_is_executed_from_its_first_to_its_last_request() {
        let mut store = Store::default();
        assert_eq!(executed(&store, 3.0), [[0.0, 3.0]]);
        store.begin(100_000, []);
        add(&mut store, &[1.001, 2.5]);
        let ends = executed(&store, 9.0);
        assert!(
            (ends[0][0] - 1.0).abs() < 1e-9 && ends[0][1] == 2.5,
            "{ends:?}"
        );
    }
}
