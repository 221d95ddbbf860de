//! All of a store as lines, and reading them back: the data from which the figures of a test are computed.

use std::io;

use serde::{Deserialize, Serialize};

use super::recent::{Recent, Request};
use super::store::{Cells, Counts, Mark, Probes, Series, Store};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreLine {
    Series(Series),
    /// The requests of a second: for each phase and series, their indices and the microseconds of each
    /// request.
    Second {
        second: u32,
        /// Timed from the planned start of the iteration.
        intended: bool,
        cells: Vec<Vec<u32>>,
    },
    Counts {
        second: u32,
        phase: u32,
        counts: Counts,
    },
    Users {
        second: u32,
        users: f64,
    },
    /// The probes, which are not part of the load.
    Probes {
        second: u32,
        probes: Probes,
    },
    /// The last line.
    Totals(Totals),
}

/// The data that a store has once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    origin_ms: Option<i64>,
    before_ms: i64,
    runs: usize,
    marks: Vec<Mark>,
    checks: Vec<(String, u64, u64)>,
    last_s: f64,
    requests_s: Option<[f64; 2]>,
    beside: u64,
    recent: Vec<Request>,
}

impl Store {
    /// Passes every line to `put`, except the series of thresholds on metrics other than all requests.
    ///
    /// # Errors
    /// The errors of `put`.
    pub fn lines(&self, put: &mut dyn FnMut(StoreLine) -> io::Result<()>) -> io::Result<()> {
        for series in &self.series {
            put(StoreLine::Series(series.clone()))?;
        }
        cells(&self.latencies, false, put)?;
        cells(&self.intended, true, put)?;
        for ((second, phase), counts) in &self.counts {
            put(StoreLine::Counts {
                second: *second,
                phase: *phase,
                counts: *counts,
            })?;
        }
        for (second, users) in &self.users {
            put(StoreLine::Users {
                second: *second,
                users: *users,
            })?;
        }
        for (second, probes) in &self.probes {
            put(StoreLine::Probes {
                second: *second,
                probes: probes.clone(),
            })?;
        }
        let checks = self.checks();
        put(StoreLine::Totals(Totals {
            origin_ms: self.origin_ms,
            before_ms: self.before_ms,
            runs: self.runs,
            marks: self.marks.clone(),
            checks: checks
                .map(|(name, passes, fails)| (name.to_owned(), passes, fails))
                .collect(),
            last_s: self.last_s,
            requests_s: self.requests_s,
            beside: self.beside,
            recent: self.recent.requests(),
        }))
    }

    /// Applies a line again, in the order in which they were written; returns false for a line that refers to
    /// something no earlier line has defined. The store accepts no further measurements.
    pub fn take_line(&mut self, line: StoreLine) -> bool {
        self.is_closed = true;
        match line {
            StoreLine::Series(series) => {
                self.intern(series);
            }
            StoreLine::Second {
                second,
                intended,
                cells,
            } => {
                let known = self.series.len() as u32;
                let into = if intended {
                    &mut self.intended
                } else {
                    &mut self.latencies
                };
                for cell in cells {
                    let [phase, series, micros @ ..] = cell.as_slice() else {
                        return false;
                    };
                    if *series >= known {
                        return false;
                    }
                    into.insert((second, *phase, *series), micros.to_vec());
                }
            }
            StoreLine::Counts {
                second,
                phase,
                counts,
            } => {
                self.counts.insert((second, phase), counts);
            }
            StoreLine::Users { second, users } => {
                self.users.insert(second, users);
            }
            StoreLine::Probes { second, probes } => {
                self.probes.insert(second, probes);
            }
            StoreLine::Totals(totals) => self.take_totals(totals),
        }
        true
    }

    fn take_totals(&mut self, totals: Totals) {
        (self.origin_ms, self.before_ms) = (totals.origin_ms, totals.before_ms);
        (self.runs, self.beside) = (totals.runs, totals.beside);
        self.recent = Recent::from(totals.recent);
        self.replay_totals(
            totals.marks,
            totals.checks,
            totals.last_s,
            totals.requests_s,
        );
    }
}

fn cells(
    cells: &Cells,
    intended: bool,
    put: &mut dyn FnMut(StoreLine) -> io::Result<()>,
) -> io::Result<()> {
    let mut put = |second: u32, cells: &mut Vec<Vec<u32>>| match cells.is_empty() {
        true => Ok(()),
        false => put(StoreLine::Second {
            second,
            intended,
            cells: std::mem::take(cells),
        }),
    };
    let mut current = 0;
    let mut of_second = Vec::new();
    for ((second, phase, series), micros) in cells {
        if *second != current {
            put(current, &mut of_second)?;
            current = *second;
        }
        let cell = [*phase, *series].into_iter().chain(micros.iter().copied());
        of_second.push(cell.collect());
    }
    put(current, &mut of_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled() -> Store {
        let mut store = Store::default();
        store.begin(
            5_000,
            [(0.0, 2.0), (2.0, 9.0)].map(|(begin_s, end_s)| Mark { begin_s, end_s }),
        );
        let series = |name: &str, status| Series {
            method: "GET".to_owned(),
            name: name.to_owned(),
            class: None,
            status,
            failed: status >= 400,
            error: None,
        };
        let ids = [series("a", 200), series("b", 500)].map(|it| store.intern(it));
        for place in 0..50_u32 {
            let at_s = f64::from(place) / 3.0;
            let id = ids[place as usize % 2];
            store.add_latency(at_s, id, 1000 + place, false);
            store.add_latency(at_s, id, 2000 + place, true);
            store.count(at_s, |counts| counts.received_bytes += 100);
            store.add_users(at_s, f64::from(place) / 7.0);
        }
        store.probes.insert(
            3,
            Probes {
                micros: vec![7, 9],
                failures: 1,
            },
        );
        store.add_check("held", true);
        store.count_beside();
        store
    }

    #[test]
    fn a_store_is_read_back_as_it_was() {
        let store = filled();
        let mut again = Store::default();
        let mut lines = 0;
        let put = &mut |line: StoreLine| {
            lines += 1;
            assert!(again.take_line(line));
            Ok(())
        };
        store.lines(put).expect("nothing fails");
        assert!(lines > 10, "{lines}");
        let shown = |store: &Store| {
            let store = format!("{store:?}");
            // One of the two is closed.
            store.replace("is_closed: true", "is_closed: false")
        };
        let sorted = |text: String| {
            // The maps of numbers by series are unordered.
            let begin = text.find("by_series: ").expect("a map");
            let end = text.find("origin_ms: ").expect("what follows");
            format!("{}{}", &text[..begin], &text[end..])
        };
        assert_eq!(sorted(shown(&again)), sorted(shown(&store)));
        again.add_latency(1.0, 0, 1, false);
        assert_eq!(again.requests(), store.requests(), "it is closed");
    }

    #[test]
    fn a_line_with_an_undefined_reference_is_rejected() {
        let mut store = Store::default();
        for cells in [vec![vec![0, 0, 1]], vec![vec![1]]] {
            let line = StoreLine::Second {
                second: 0,
                intended: false,
                cells,
            };
            assert!(!store.take_line(line));
        }
    }
}
