//! The workloads of both tools.

use std::fmt::Write;

/// The executor of a workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// This number of VUs, each as fast as possible.
    Vus(u32),
    /// This number of iterations per second.
    Rate(u32),
}

/// A script and its executor.
#[derive(Debug, Clone, Copy)]
pub(super) struct Work {
    pub(super) letter: &'static str,
    pub(super) what: &'static str,
    pub(super) pace: Pace,
    body: &'static str,
    has_data: bool,
}

/// The maximum number of VUs for a rate.
const VUS_OF_RATE: u32 = 200;
/// The number of items in the literal data; about 200 bytes each.
const ITEMS: usize = 1000;

const fn vus(letter: &'static str, what: &'static str, vus: u32, body: &'static str) -> Work {
    Work {
        letter,
        what,
        pace: Pace::Vus(vus),
        body,
        has_data: false,
    }
}

const fn data(letter: &'static str, what: &'static str, count: u32) -> Work {
    Work {
        has_data: true,
        ..vus(letter, what, count, IDLE)
    }
}

const fn rate(letter: &'static str, what: &'static str, per_s: u32) -> Work {
    Work {
        letter,
        what,
        pace: Pace::Rate(per_s),
        body: "http.get(url);",
        has_data: false,
    }
}

const IDLE: &str = "http.get(url); sleep(1);";

pub(super) const WORKS: &[Work] = &[
    vus("A", "GET, 50 VUs", 50, "http.get(url);"),
    vus("A1000", "GET, 1 000 VUs", 1000, "http.get(url);"),
    vus("B", "POST, check, json(), Trend, 50 VUs", 50, "busy();"),
    vus(
        "C",
        "B and sleep(0.1), 1 000 VUs",
        1000,
        "busy(); sleep(0.1);",
    ),
    vus("J", "pure JavaScript, 1 VU", 1, "compute();"),
    vus("M100", "GET and sleep(1), 100 VUs", 100, IDLE),
    vus("M1000", "GET and sleep(1), 1 000 VUs", 1000, IDLE),
    vus("M10000", "GET and sleep(1), 10 000 VUs", 10_000, IDLE),
    data("D100", "the same with 200 KB of data, 100 VUs", 100),
    data("D1000", "the same with 200 KB of data, 1 000 VUs", 1000),
    rate("R2000", "2 000/s", 2000),
    rate("R5000", "5 000/s", 5000),
    rate("R10000", "10 000/s", 10_000),
    rate("R15000", "15 000/s", 15_000),
];

impl Work {
    /// The script for a run of this length.
    pub(super) fn script(&self, seconds: u32) -> String {
        let options = match self.pace {
            Pace::Vus(vus) => format!("{{ vus: {vus}, duration: '{seconds}s' }}"),
            Pace::Rate(rate) => format!(
                "{{ scenarios: {{ rate: {{ executor: 'constant-arrival-rate', rate: {rate}, timeUnit: '1s', \
                 duration: '{seconds}s', preAllocatedVUs: {VUS_OF_RATE}, maxVUs: {VUS_OF_RATE} }} }} }}"
            ),
        };
        let data = if self.has_data {
            literal()
        } else {
            String::new()
        };
        format!(
            "{PRELUDE}{data}export const options = {options};\nexport default function () {{ {} }}\n",
            self.body
        )
    }
}

/// The script of a bare GET: only the request, whose response body is discarded.
pub(super) fn bare(vus: u32, seconds: u32) -> String {
    format!(
        "import http from 'k6/http';\n\
         export const options = {{ vus: {vus}, duration: '{seconds}s', discardResponseBodies: true }};\n\
         export default function () {{ http.get(__ENV.TARGET); }}\n"
    )
}

/// About 200 KB of data as a literal.
fn literal() -> String {
    let mut text = "const rows = [\n".to_owned();
    for item in 0..ITEMS {
        let name = format!("user number {item}");
        let note = "lorem ipsum dolor sit amet ".repeat(3);
        let _ = writeln!(
            text,
            "{{ id: {item}, name: '{name}', mail: 'user{item}@example.com', tags: ['a{item}', 'b'], note: '{note}{item}' }},"
        );
    }
    text + "];\n"
}

/// A script of the repository that is valid for both tools.
const PRELUDE: &str = r#"
import http from 'k6/http';
import { check, sleep } from 'k6';
import { Trend } from 'k6/metrics';
const url = __ENV.TARGET;
const took = new Trend('took', true);
const payload = JSON.stringify({ content: 'call me at 555-0100', detector: 'pii', items: [1, 2, 3] });
const params = { headers: { 'Content-Type': 'application/json' } };
function busy() {
    const response = http.post(url, payload, params);
    check(response, { 'status is 200': (r) => r.status === 200, 'has a score': (r) => r.json().score > 0 });
    took.add(response.timings.duration);
}
function compute() {
    const rows = [];
    for (let i = 0; i < 300; i++) {
        rows.push({ id: i, name: 'row ' + ((i * 7919) % 300), tags: ['a', 'b', String(i % 7)] });
    }
    rows.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    const copy = JSON.parse(JSON.stringify(rows));
    let hits = 0;
    for (const row of copy) {
        if (/^row \d*[13579]$/.test(row.name)) { hits += row.tags.join('-').length; }
    }
    const counts = {};
    for (let i = 0; i < 2000; i++) { counts['k' + (i % 50)] = (counts['k' + (i % 50)] || 0) + i; }
    return hits + Object.keys(counts).length;
}
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_literal_data_is_about_200_kilobytes() {
        let bytes = literal().len();
        assert!((180_000..220_000).contains(&bytes), "{bytes}");
    }
}
