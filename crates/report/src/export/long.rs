//! All figures of a run in one long table, one figure per row.

use csv::Writer;

use crate::record::{Endpoint, Figures, RunRecord, Second, TestRecord, ThresholdSeries};

const HEADER: [&str; 11] = [
    "run", "test", "scope", "phase", "at_s", "class", "method", "name", "figure", "unit", "value",
];

/// The table. Figures that were not measured have no row. Percentiles use the record's method, which the
/// first row states.
pub fn long(run: &RunRecord) -> String {
    let mut writer = Writer::from_writer(Vec::new());
    let mut rows = Rows {
        run,
        writer: &mut writer,
    };
    rows.write(&HEADER);
    let method = run.percentile_method.as_str();
    rows.write(&[
        &run.run,
        "",
        "run",
        "",
        "",
        "",
        "",
        "",
        "percentile_method",
        "",
        method,
    ]);
    for test in &run.tests {
        rows.test(test);
    }
    let bytes = writer.into_inner().expect("memory can be written");
    String::from_utf8(bytes).expect("only text was written")
}

/// The position of a figure.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    test: &'a str,
    scope: &'a str,
    phase: &'a str,
    at_s: &'a str,
    class: &'a str,
    method: &'a str,
    name: &'a str,
}

struct Rows<'a> {
    run: &'a RunRecord,
    writer: &'a mut Writer<Vec<u8>>,
}

impl Rows<'_> {
    fn write(&mut self, row: &[&str]) {
        self.writer
            .write_record(row)
            .expect("memory can be written");
    }

    fn figure(&mut self, place: &Place<'_>, figure: &str, unit: &str, value: Option<f64>) {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            return;
        };
        let run = self.run.run.clone();
        self.write(&[
            &run,
            place.test,
            place.scope,
            place.phase,
            place.at_s,
            place.class,
            place.method,
            place.name,
            figure,
            unit,
            &value.to_string(),
        ]);
    }

    fn test(&mut self, test: &TestRecord) {
        let title = test.title();
        let place = Place {
            test: &title,
            scope: "test",
            ..Place::default()
        };
        self.figures(&place, &test.figures);
        self.endpoints(&place, &test.endpoints);
        for phase in &test.phases {
            let place = Place {
                scope: "phase",
                phase: &phase.name,
                ..place
            };
            self.figures(&place, &phase.figures);
            self.endpoints(&place, &phase.endpoints);
        }
        for second in &test.seconds {
            let at_s = second.at_s.to_string();
            let place = Place {
                scope: "second",
                at_s: &at_s,
                ..place
            };
            self.second(&place, second);
        }
        for asked in &test.asked {
            self.asked(&place, asked);
        }
    }

    fn asked(&mut self, place: &Place<'_>, asked: &ThresholdSeries) {
        for (aggregate, values) in &asked.seconds {
            for (second, value) in values.iter().enumerate() {
                let at_s = second.to_string();
                let place = Place {
                    scope: "second",
                    at_s: &at_s,
                    name: &asked.metric,
                    ..*place
                };
                self.figure(&place, aggregate, asked.unit(), *value);
            }
        }
    }

    fn endpoints(&mut self, place: &Place<'_>, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            let place = Place {
                scope: "endpoint",
                class: endpoint.class.as_deref().unwrap_or_default(),
                method: &endpoint.method,
                name: &endpoint.name,
                ..*place
            };
            self.figures(&place, &endpoint.figures);
        }
    }

    fn figures(&mut self, place: &Place<'_>, figures: &Figures) {
        let latency = figures.latency.as_ref();
        self.figure(place, "requests", "", Some(figures.requests as f64));
        self.figure(place, "failures", "", Some(figures.failures as f64));
        self.figure(place, "error_rate", "ratio", figures.error_rate());
        self.figure(place, "requests_per_s", "1/s", figures.requests_per_s);
        self.figure(place, "users", "", figures.users);
        self.figure(place, "received", "bytes", counted(figures.received_bytes));
        self.figure(place, "sent", "bytes", counted(figures.sent_bytes));
        let content = figures.content_bytes.map(|bytes| bytes as f64);
        self.figure(place, "content", "bytes", content);
        self.figure(place, "mean", "ms", latency.map(|latency| latency.mean));
        self.figure(place, "min", "ms", latency.map(|latency| latency.min));
        self.figure(place, "max", "ms", latency.map(|latency| latency.max));
        let both = [
            ("", latency),
            ("intended_", figures.intended_latency.as_ref()),
        ];
        for (prefix, latency) in both {
            for (key, value) in latency.into_iter().flat_map(|latency| &latency.percentiles) {
                self.figure(place, &format!("{prefix}{key}"), "ms", Some(*value));
            }
        }
    }

    fn second(&mut self, place: &Place<'_>, second: &Second) {
        self.figure(place, "requests", "", Some(second.requests as f64));
        self.figure(place, "failures", "", Some(second.failures as f64));
        self.figure(place, "users", "", second.users);
        self.figure(place, "mean", "ms", second.mean_ms);
        self.figure(place, "p50", "ms", second.p50_ms);
        self.figure(place, "p95", "ms", second.p95_ms);
        self.figure(place, "p99", "ms", second.p99_ms);
        self.figure(
            place,
            "dropped_iterations",
            "",
            Some(second.dropped_iterations as f64),
        );
    }
}

/// A request has at least one byte: 0 means that bytes were not counted.
fn counted(bytes: u64) -> Option<f64> {
    (bytes > 0).then_some(bytes as f64)
}
