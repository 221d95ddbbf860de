//! A store as lines, and reading them back: the evidence of a test has all lines, its journal the new ones.

use std::io;

use live_page::Exceptions;
use report::record::ScriptException;
use serde::{Deserialize, Serialize};

use super::recent::{Recent, Request};
use super::store::{Cells, Counts, Mark, Probes, Series, Store};

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoreLine {
    Series(Series),
    /// Requests of a second: for each phase and series, their indices and the microseconds of each request. Further
    /// lines of the same second add requests.
    Second {
        second: u32,
        /// Timed from the planned start of the iteration.
        intended: bool,
        cells: Vec<Vec<u32>>,
    },
    /// Bytes of the bodies of responses; of a second, phase and series the last line counts.
    Content {
        second: u32,
        phase: u32,
        series: u32,
        bytes: u64,
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
    /// What thresholds ask about beside all requests; in journals only.
    Asked {
        metric: String,
        second: u32,
        values: Vec<f64>,
    },
    /// The last line of evidence; in a journal the last one counts.
    Totals(Totals),
}

/// The data that a store has once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    marks: Vec<Mark>,
    checks: Vec<(String, u64, u64)>,
    #[serde(default)]
    exceptions: Vec<ScriptException>,
    last_s: f64,
    requests_s: Option<[f64; 2]>,
    /// Only in evidence.
    #[serde(flatten, default, skip_serializing_if = "Option::is_none")]
    process: Option<OfProcess>,
}

/// The data of a single process, which a resumed test starts without.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct OfProcess {
    origin_ms: Option<i64>,
    before_ms: i64,
    runs: usize,
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
        for ((second, phase, series), bytes) in &self.contents {
            put(StoreLine::Content {
                second: *second,
                phase: *phase,
                series: *series,
                bytes: *bytes,
            })?;
        }
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
        put(StoreLine::Totals(Totals {
            process: Some(OfProcess {
                origin_ms: self.origin_ms,
                before_ms: self.before_ms,
                runs: self.runs,
                beside: self.beside,
                recent: self.recent.requests(),
            }),
            ..self.totals()
        }))
    }

    /// The totals without those of the process.
    pub(super) fn totals(&self) -> Totals {
        let checks = self.checks();
        Totals {
            marks: self.marks.clone(),
            checks: checks
                .map(|(name, passes, fails)| (name.to_owned(), passes, fails))
                .collect(),
            exceptions: self.exceptions.list(),
            last_s: self.last_s,
            requests_s: self.requests_s,
            process: None,
        }
    }

    /// Applies a line again, in the order in which they were written; returns false for a line that refers to
    /// something no earlier line has defined.
    pub fn take_line(&mut self, line: StoreLine) -> bool {
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
                    let cell = into.entry((second, *phase, *series)).or_default();
                    cell.extend(micros);
                }
            }
            StoreLine::Content {
                second,
                phase,
                series,
                bytes,
            } => {
                if series as usize >= self.series.len() {
                    return false;
                }
                self.contents.insert((second, phase, series), bytes);
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
            StoreLine::Asked {
                metric,
                second,
                values,
            } => self.asked.replay(metric, second, values),
            StoreLine::Totals(totals) => self.take_totals(totals),
        }
        true
    }

    fn take_totals(&mut self, totals: Totals) {
        let checks = totals.checks.into_iter();
        self.checks = checks
            .map(|(name, passes, fails)| (name, (passes, fails)))
            .collect();
        self.exceptions = Exceptions::from(totals.exceptions);
        self.marks = totals.marks;
        (self.last_s, self.requests_s) = (totals.last_s, totals.requests_s);
        if let Some(process) = totals.process {
            (self.origin_ms, self.before_ms) = (process.origin_ms, process.before_ms);
            (self.runs, self.beside) = (process.runs, process.beside);
            self.recent = Recent::from(process.recent);
        }
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
            store.add_content(at_s, id, 90);
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
        let shown = |store: &Store| format!("{store:?}");
        let sorted = |text: String| {
            // The maps of numbers by series are unordered.
            let begin = text.find("by_series: ").expect("a map");
            let end = text.find("origin_ms: ").expect("what follows");
            format!("{}{}", &text[..begin], &text[end..])
        };
        assert_eq!(sorted(shown(&again)), sorted(shown(&store)));
    }

    #[test]
    fn a_line_with_an_undefined_reference_is_rejected() {
        let mut store = Store::default();
        let cells = |cells| StoreLine::Second {
            second: 0,
            intended: false,
            cells,
        };
        let content = StoreLine::Content {
            second: 0,
            phase: 0,
            series: 0,
            bytes: 1,
        };
        for line in [cells(vec![vec![0, 0, 1]]), cells(vec![vec![1]]), content] {
            assert!(!store.take_line(line));
        }
    }
}
