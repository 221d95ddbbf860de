//! The measurements as lines of a journal that outlives the process, and reading them back.
//!
//! Lines are added during a test and never changed: those of a second contain only its new values. A
//! counter's line contains its current total, and the last line counts.

use std::collections::HashMap;

use super::lines::StoreLine;
use super::store::{Counts, Key, Store};

/// Values may arrive this many seconds late; older seconds are not checked again.
const LATEST: u32 = 120;

/// The progress of writing a store.
#[derive(Debug, Default)]
pub struct Written {
    series: usize,
    values: HashMap<(Key, bool), usize>,
    contents: HashMap<Key, u64>,
    counts: HashMap<(u32, u32), Counts>,
    users: HashMap<u32, u64>,
    /// The number of probes by second.
    probes: HashMap<u32, usize>,
    /// By metric, the second after the last one that was written.
    asked: HashMap<String, u32>,
}

impl Store {
    /// The lines since the last call with the same `written`.
    pub fn news(&self, written: &mut Written) -> Vec<StoreLine> {
        let from = (self.last_s().max(0.0) as u32).saturating_sub(LATEST);
        let mut lines: Vec<StoreLine> = self
            .all_series()
            .iter()
            .skip(written.series)
            .cloned()
            .map(StoreLine::Series)
            .collect();
        written.series = self.all_series().len();
        written.forget_before(from);
        for (cells, intended) in [(&self.latencies, false), (&self.intended, true)] {
            for (key, micros) in cells.range((from, 0, 0)..) {
                let known = written.values.entry((*key, intended)).or_default();
                if micros.len() > *known {
                    let (second, phase, series) = *key;
                    let cell = [phase, series].into_iter();
                    let cell = cell.chain(micros[*known..].iter().copied());
                    lines.push(StoreLine::Second {
                        second,
                        intended,
                        cells: vec![cell.collect()],
                    });
                    *known = micros.len();
                }
            }
        }
        for (key, bytes) in self.contents.range((from, 0, 0)..) {
            if written.contents.insert(*key, *bytes) != Some(*bytes) {
                let (second, phase, series) = *key;
                lines.push(StoreLine::Content {
                    second,
                    phase,
                    series,
                    bytes: *bytes,
                });
            }
        }
        for (place, counts) in self.counts.range((from, 0)..) {
            if written.counts.insert(*place, *counts) != Some(*counts) {
                lines.push(StoreLine::Counts {
                    second: place.0,
                    phase: place.1,
                    counts: *counts,
                });
            }
        }
        for (second, users) in self.users.range(from..) {
            if written.users.insert(*second, users.to_bits()) != Some(users.to_bits()) {
                lines.push(StoreLine::Users {
                    second: *second,
                    users: *users,
                });
            }
        }
        for (second, probes) in self.probes.range(from..) {
            let count = probes.micros.len();
            if written.probes.insert(*second, count) != Some(count) {
                lines.push(StoreLine::Probes {
                    second: *second,
                    probes: probes.clone(),
                });
            }
        }
        let asked = self.asked.news(&mut written.asked).into_iter();
        lines.extend(asked.map(|(metric, second, values)| StoreLine::Asked {
            metric,
            second,
            values,
        }));
        if !lines.is_empty() {
            lines.push(StoreLine::Totals(self.totals()));
        }
        lines
    }

    /// Ends the replay: further measurements continue where it ended, whatever time has passed.
    pub fn replayed(&mut self) -> Written {
        self.go_on();
        let mut written = Written::default();
        drop(self.news(&mut written));
        written
    }
}

impl Written {
    fn forget_before(&mut self, second: u32) {
        self.values.retain(|(key, _), _| key.0 >= second);
        self.contents.retain(|key, _| key.0 >= second);
        self.counts.retain(|place, _| place.0 >= second);
        self.users.retain(|known, _| *known >= second);
        self.probes.retain(|known, _| *known >= second);
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::{Mark, Series};
    use super::*;

    fn series(name: &str) -> Series {
        Series {
            method: "GET".to_owned(),
            name: name.to_owned(),
            class: None,
            status: 200,
            failed: false,
            error: None,
        }
    }

    fn whole(store: &Store) -> String {
        format!("{store:?}")
    }

    #[test]
    fn a_store_is_read_back_from_its_lines() {
        let mut store = Store::default();
        let mut written = Written::default();
        let mut lines = Vec::new();
        store.begin(
            5_000,
            [Mark {
                begin_s: 0.0,
                end_s: 10.0,
            }],
        );
        let first = store.intern(series("a"));
        store.add_latency(0.5, first, 1000, false);
        store.add_users(0.5, 3.0);
        store.add_probe(0.6, 4000, true);
        lines.extend(store.news(&mut written));
        assert!(
            store.news(&mut written).is_empty(),
            "nothing has come since"
        );
        let second = store.intern(series("b"));
        store.add_latency(0.7, first, 2000, false);
        store.add_latency(1.5, second, 3000, true);
        store.add_content(0.7, first, 10);
        store.count(1.5, |counts| counts.iterations += 2);
        store.count(1.6, |counts| counts.iterations += 1);
        store.add_check("held", true);
        store.add_probe(0.8, 5000, false);
        store.end(5.0 + 2.0);
        lines.extend(store.news(&mut written));
        let text: Vec<String> = lines
            .iter()
            .map(|line| serde_json::to_string(line).expect("JSON"))
            .collect();
        let mut again = Store::default();
        for line in &text {
            assert!(again.take_line(serde_json::from_str(line).expect("a line")));
        }
        again.replayed();
        // The phase ended with its last measurement.
        let cut = Mark {
            begin_s: 0.0,
            end_s: again.last_s(),
        };
        assert_eq!(again.marks(), [cut]);
        assert_eq!(
            whole_cells(&again),
            whole_cells(&store),
            "{}",
            whole(&again)
        );
        assert_eq!(again.probes, store.probes);
        assert_eq!(
            (again.probes[&0].micros.len(), again.probes[&0].failures),
            (2, 1)
        );
        assert_eq!(again.checks().collect::<Vec<_>>(), [("held", 1, 0)]);
        // An hour later the test continues where it ended.
        let last_s = again.last_s();
        again.begin(
            3_605_000,
            [Mark {
                begin_s: 0.0,
                end_s: 5.0,
            }],
        );
        assert_eq!(again.began(), Some(3605.0 - last_s));
        assert_eq!(
            again.marks()[1],
            Mark {
                begin_s: last_s,
                end_s: last_s + 5.0
            }
        );
    }

    fn whole_cells(store: &Store) -> String {
        format!(
            "{:?} {:?} {:?} {:?} {:?}",
            store.latencies, store.intended, store.contents, store.counts, store.users
        )
    }
}
