//! `--out influxdb` sends the same points as k6, to the same paths.

use std::collections::BTreeMap;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::find_k6;
use crate::binary::sparring;
use crate::receiver::Receiver;

const SCRIPT: &str = r#"
import http from 'k6/http';
import exec from 'k6/execution';
import { check, group } from 'k6';
import { Counter, Gauge, Rate, Trend } from 'k6/metrics';
const [counter, gauge] = [new Counter('a_counter'), new Gauge('a_gauge')];
const [rate, trend] = [new Rate('a_rate'), new Trend('a_trend', true)];
export const options = {
  iterations: 2,
  tags: { run: 'a b,c=d', empty: '' },
  systemTags: ['scenario', 'group', 'check', 'status', 'method', 'url', 'name', 'expected_response', 'error_code', 'vu', 'iter'],
};
export default function () {
  exec.vu.metrics.metadata.trace = 'abc';
  group('one, two = 3', () => http.get(`${__ENV.BASE}/path?a=1,2`, { tags: { name: 'a name' } }));
  check(null, { 'it is, so': () => true, 'it is not': () => false });
  const tags = { vu: 'x', int: '007', notInt: '1.5', float: '1e3', bool: 'T', notBool: 'yes', text: 'a "b" \\ c', 'k ,=': 'v' };
  [1e21, 1e-7, 0.1, 123456789.123].forEach((value) => trend.add(value, tags));
  counter.add(2.5);
  gauge.add(-3);
  rate.add(true);
}
"#;

/// Variables of a run, besides the address.
const RUNS: [&[(&str, &str)]; 3] = [
    &[],
    &[(
        "K6_INFLUXDB_TAGS_AS_FIELDS",
        "int:int,notInt:int,float:float,bool:bool,notBool:bool,text,run,k ,nobody:int",
    )],
    &[
        ("K6_INFLUXDB_PRECISION", "ms"),
        ("K6_INFLUXDB_RETENTION", "a week"),
        ("K6_INFLUXDB_CONSISTENCY", "any"),
        ("K6_INFLUXDB_USERNAME", "me"),
        ("K6_INFLUXDB_PASSWORD", "pw"),
        ("K6_INFLUXDB_DB", "mine"),
        ("K6_INFLUXDB_PUSH_INTERVAL", "200ms"),
    ],
];

#[test]
fn influxdb_gets_the_points_that_k6_sends() {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("script.js");
    std::fs::write(&script, SCRIPT).expect("it can be written");
    for variables in RUNS {
        let mut real = Command::new(&k6);
        real.args(["run", "--address", "127.0.0.1:0"]);
        let expected = points(real, &script, variables);
        let mut ours = sparring();
        ours.arg0("k6").arg("run");
        let found = points(ours, &script, variables);
        assert!(expected.len() > 10, "k6 sent only {expected:#?}");
        assert_eq!(found, expected, "with {variables:?}");
    }
}

/// Requests and points of a run, each with its number; values that depend on time are left out.
fn points(
    mut command: Command,
    script: &Path,
    variables: &[(&str, &str)],
) -> BTreeMap<String, usize> {
    let receiver = Receiver::new(|request| {
        let status = if request.target.starts_with("/write") {
            204
        } else {
            200
        };
        (status, "{}".to_owned())
    });
    command.args(["--no-usage-report", "--quiet", "--no-summary"]);
    command.arg("-e").arg(format!("BASE={}", receiver.url));
    command.args(["--out", "influxdb"]).arg(script);
    command.env("K6_INFLUXDB_ADDR", &receiver.url);
    command.envs(variables.iter().copied());
    let output = command.output().expect("the driver can be started");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let mut seen = BTreeMap::new();
    let requests = receiver.received();
    let writes = requests.iter().filter(|request| request.method == "POST");
    let mut targets = Vec::new();
    for request in writes {
        let authorization = request
            .headers
            .iter()
            .find(|(name, _)| name == "authorization");
        // k6 also sends the names of parameters without a value.
        let target = request.target.replace("db=&params=%7B%7D&", "");
        targets.push(format!("{target} {authorization:?}"));
        for line in request.body.lines() {
            *seen.entry(point(line, &receiver.url)).or_default() += 1;
        }
    }
    targets.dedup();
    seen.extend(targets.into_iter().map(|target| (target, 1)));
    seen.retain(|line, _| !line.starts_with("vus"));
    seen
}

/// A line without its time and without values that depend on it.
fn point(line: &str, base: &str) -> String {
    let line = line
        .replace(base, "BASE")
        .replace(&base.replace('=', "\\="), "BASE");
    let (line, time) = line.rsplit_once(' ').expect("a time");
    let digits = time.len();
    let steady = ["a_", "checks", "iterations", "http_reqs", "http_req_failed"];
    let value = line.find("value=").expect("every point has a value");
    let end = line[value..].find(',').map_or(line.len(), |at| value + at);
    let masked = if steady.iter().any(|name| line.starts_with(name)) {
        line.to_owned()
    } else {
        format!("{}value=…{}", &line[..value], &line[end..])
    };
    format!("{masked} ({digits} digits)")
}
