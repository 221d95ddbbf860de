//! The exports of a running suite: annotations to Grafana, samples to Prometheus. Neither affects the
//! verdict.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::binary::{Ended, sparring};
use crate::receiver::Receiver;
use crate::suite_ends::wait_for;
use crate::suite_prometheus::{Daemon, free_port, get, program};
use crate::suite_runs::assert_ends;

/// The laboratory's queue, whose responses take longer than a microsecond; a fault in the middle.
const SUITE: &str = "
suite: own
system: lab
default: [load]
all: [load]
classes:
  User: { script: own.js, exec: user, wait_s: [0, 0] }
grades:
  p95_ms: { target: 0.001 }
tests:
  load:
    about: A bound that nothing keeps.
    model: closed
    users: [User]
    phases: [{ ramp: { to: 2 } }, { steady: { for: 12s } }]
    judge: { grades: target }
";

const SCRIPT: &str = "
import http from 'k6/http';
import { sleep } from 'k6';
export const options = JSON.parse(__ENV.SPARRING_PLAN);
export function user() { http.get(`${__ENV.PERF_BASE_URL}/mm1`, { tags: { name: 'GET /mm1' } }); sleep(0.02); }
";

/// Thresholds on a single endpoint and on metrics of the script, which all fail.
const THRESHOLDS: &str = "
      thresholds:
        'http_req_duration{name:GET /mm1}': ['p(90)<0.001']
        odd: ['rate<0.2']
        visits: ['count<5']
";

struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("own.yaml"), SUITE).expect("writable");
        std::fs::write(folder.path().join("own.js"), SCRIPT).expect("writable");
        Self(folder)
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = sparring();
        command.args(words).current_dir(self.0.path());
        command
    }

    fn test(&self, words: &[&str]) -> Ended {
        let mut all = vec!["test", "own.yaml"];
        all.extend(words);
        run(self.command(&all).env("GRAFANA_TOKEN", "t0k"))
    }

    /// Adds the thresholds on metrics, and the metrics.
    fn ask_about_metrics(&self) {
        let asked = "judge:\n      grades: target";
        let suite = SUITE.replace("judge: { grades: target }", &format!("{asked}{THRESHOLDS}"));
        let script = SCRIPT.replace(
            "user() {",
            "user() { odd.add(__ITER % 2 === 0); visits.add(1);",
        );
        let script = format!(
            "import {{ Counter, Rate }} from 'k6/metrics';\nconst [odd, visits] = [new Rate('odd'), new Counter('visits')];{script}"
        );
        std::fs::write(self.0.path().join("own.yaml"), suite).expect("writable");
        std::fs::write(self.0.path().join("own.js"), script).expect("writable");
    }

    /// The newest run.
    fn run_folder(&self) -> PathBuf {
        let runs = std::fs::read_dir(self.0.path().join("results")).expect("made");
        let mut runs: Vec<PathBuf> = runs.flatten().map(|entry| entry.path()).collect();
        runs.sort();
        runs.pop().expect("a run")
    }
}

fn run(command: &mut Command) -> Ended {
    Ended::from(
        command
            .output()
            .expect("the binary was built for this test"),
    )
}

fn report(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("report.json")).expect("written");
    serde_json::from_str(&text).expect("JSON")
}

/// The bodies of the requests to a Grafana, by the second of their tags.
fn annotations(grafana: &Receiver, what: &str) -> Vec<Value> {
    let received = grafana.received().into_iter();
    let all = received.filter(|it| it.method == "POST" && it.target == "/api/annotations");
    all.map(|it| it.json())
        .filter(|body| body["tags"][0] == "sparring" && body["tags"][1] == what)
        .collect()
}

#[test]
fn phases_and_verdicts_become_annotations_of_grafana() {
    let grafana = Receiver::new(|_| (200, r#"{"id":1,"message":"Annotation added"}"#.to_owned()));
    let bench = Bench::new();
    let ended = bench.test(&["--time-scale", "0.2", "--grafana", &grafana.url]);
    let bearer = ("authorization".to_owned(), "Bearer t0k".to_owned());
    assert!(
        grafana
            .received()
            .iter()
            .all(|it| it.headers.contains(&bearer))
    );
    let report = report(&bench.run_folder());
    assert_ends(&ended, &report["tests"][0], 99);
    let phases = annotations(&grafana, "phase");
    let recorded = report["tests"][0]["phases"].as_array().expect("phases");
    assert_eq!(phases.len(), recorded.len());
    for (sent, phase) in phases.iter().zip(recorded) {
        let length = sent["timeEnd"].as_f64().zip(sent["time"].as_f64());
        let length = length
            .map(|(end, begin)| (end - begin) / 1e3)
            .expect("a region");
        let wanted = phase["end_s"].as_f64().zip(phase["begin_s"].as_f64());
        let wanted = wanted.map(|(end, begin)| end - begin).expect("times");
        assert!((length - wanted).abs() < 0.01, "{sent} {phase}");
    }
    let verdicts = annotations(&grafana, "verdict");
    assert_eq!(
        verdicts.len(),
        2,
        "of the test and of the run: {verdicts:?}"
    );
    let word = match ended.code {
        Some(99) => "FAILED",
        _ => "NOT TO BE TRUSTED",
    };
    let text = verdicts[0]["text"].as_str().unwrap_or_default();
    assert!(text.starts_with(&format!("load: {word}")), "{text}");
    assert!(verdicts[1]["timeEnd"].as_i64() > verdicts[1]["time"].as_i64());
    // Once more, from the record alone.
    let before = grafana.received().len();
    let name = bench.run_folder();
    let again = bench
        .command(&["report", &name.to_string_lossy(), "--grafana", &grafana.url])
        .output();
    assert!(again.expect("the binary was built").status.success());
    assert_eq!(grafana.received().len(), 2 * before);
}

#[test]
fn a_grafana_or_a_prometheus_that_takes_nothing_is_told_and_decides_nothing() {
    let refusing = Receiver::new(|_| (401, "{}".to_owned()));
    let bench = Bench::new();
    let nobody = format!("prometheus=http://127.0.0.1:{}/api/v1/write", free_port());
    let words = [
        "--time-scale",
        "0.2",
        "--grafana",
        &refusing.url,
        "--out",
        &nobody,
    ];
    let ended = bench.test(&words);
    let run = bench.run_folder();
    assert_ends(&ended, &report(&run)["tests"][0], 99);
    let said = &ended.stdout;
    assert!(
        said.contains("annotations did not reach Grafana: it answers 401"),
        "{said}"
    );
    assert!(
        said.contains("load: output Prometheus remote write"),
        "{said}"
    );
    // One attempt for the test and one for the run.
    assert_eq!(refusing.received().len(), 2);
    let report = report(&bench.run_folder());
    assert_eq!(report["complete"], true);
    let ledger = report["tests"][0]["ledger"].to_string();
    assert!(!ledger.contains("Prometheus"), "{ledger}");
    // With -q the warning about what did not arrive is printed too.
    let words = ["--time-scale", "0.05", "-q", "--grafana", &refusing.url];
    let said = bench.test(&words).stderr;
    assert!(said.contains("warning: "), "{said}");
    assert!(
        said.contains("did not reach Grafana: it answers 401"),
        "{said}"
    );
}

#[test]
fn outputs_to_files_are_refused_before_anything_runs() {
    let bench = Bench::new();
    for (output, hint) in [
        ("json=a.json", "writes a file"),
        ("nope", "invalid output type"),
    ] {
        let ended = bench.test(&["--out", output]);
        assert_eq!(ended.code, Some(2), "{}{}", ended.stdout, ended.stderr);
        assert!(ended.stderr.contains(hint), "{}", ended.stderr);
        assert!(!bench.0.path().join("results").exists());
    }
}

/// N-10 outside of the binary: the rules of one run fire in a real Prometheus during the next.
#[test]
fn rules_of_a_run_fire_in_a_real_prometheus_that_the_next_run_writes_to() {
    let Some(program) = program() else {
        return;
    };
    let bench = Bench::new();
    bench.ask_about_metrics();
    let ended = bench.test(&["--time-scale", "0.2"]);
    let first = bench.run_folder();
    assert_ends(&ended, &report(&first)["tests"][0], 99);
    let rules = ["report", &first.to_string_lossy(), "--format", "rules"].map(str::to_owned);
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let written = run(&mut bench.command(&rules));
    assert_eq!(written.code, Some(0), "{}", written.stderr);
    let config = format!(
        "global: {{ scrape_interval: 1h, evaluation_interval: 1s }}\nrule_files: ['{}']\n",
        first.join("alerts.rules.yml").display()
    );
    let path = bench.0.path().join("prometheus.yml");
    std::fs::write(&path, config).expect("writable");
    let port = free_port();
    let prometheus = Command::new(program)
        .current_dir(bench.0.path())
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"])
        .args([
            "--web.enable-remote-write-receiver",
            "--enable-feature=native-histograms",
        ])
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let _prometheus = Daemon(prometheus.expect("it can be executed"));
    let url = format!("http://127.0.0.1:{port}");
    wait_for(|| get(&format!("{url}/-/ready")).is_some(), "Prometheus");
    let out = format!("prometheus={url}/api/v1/write");
    let mut second = bench.command(&["test", "own.yaml", "--out", &out]);
    let ended = run(second.env("K6_PROMETHEUS_RW_PUSH_INTERVAL", "1s"));
    let report = report(&bench.run_folder());
    assert_ends(&ended, &report["tests"][0], 99);
    let query = |query: &str| -> Value {
        let query: String = query.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let text = get(&format!("{url}/api/v1/query?query={query}")).expect("an answer");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        answer["data"]["result"][0].clone()
    };
    let alert = "ALERTS{alertname=\"LoadP95High\",alertstate=\"firing\"}";
    let fired = query(&format!("count_over_time({alert}[2m])"));
    let labels = &fired["metric"];
    assert_eq!(
        (&labels["suite"], &labels["test"]),
        (&"own".into(), &"load".into()),
        "{fired}"
    );
    assert_eq!(labels["testid"], report["run"]);
    for (alert, metric) in [
        (
            "LoadHttpReqDurationNameGETMm1P90High",
            "http_req_duration{name:GET /mm1}",
        ),
        ("LoadOddRateHigh", "odd"),
        ("LoadVisitsCountHigh", "visits"),
    ] {
        let fired = query(&format!(
            "count_over_time(ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}[2m])"
        ));
        assert_eq!(fired["metric"]["metric"], metric, "{alert}: {fired}");
        let replayed = &report["tests"][0]["analysis"]["alert_replay"]["alerts"];
        let replayed = replayed.as_array().expect("alerts");
        let own = replayed.iter().find(|one| one["alert"] == alert);
        let own = own.unwrap_or_else(|| panic!("{alert}: {replayed:?}"));
        assert!(!own["fired"].as_array().expect("times").is_empty(), "{own}");
    }
    let odd = query("quantile_over_time(0.5, test:metric:rate{metric=\"odd\"}[2m])");
    let odd: f64 = odd["value"][1]
        .as_str()
        .expect("a value")
        .parse()
        .expect("a number");
    assert!((0.3..0.7).contains(&odd), "{odd}");
    // The recorded value is the percentile of the report, within the buckets of both.
    let recorded = query("quantile_over_time(0.5, test:latency_ms:p95[2m])");
    let recorded: f64 = recorded["value"][1]
        .as_str()
        .expect("a value")
        .parse()
        .expect("a number");
    let own = report["tests"][0]["figures"]["latency"]["percentiles"]["p95"]
        .as_f64()
        .expect("a p95");
    assert!(
        (own / 2.0..own * 2.0).contains(&recorded),
        "{recorded} {own}"
    );
}
