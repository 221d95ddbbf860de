//! The page of a suite's run beside Locust's own: what clients of Locust read is there. The real one is used where it is on
//! the path, and `REQUIRE_LOCUST` makes that a must.

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{call, sparring};
use crate::captor::Captor;
use crate::with_locust::has_real_locust;

const ANSWER: &str = r#"{"stock":7}"#;
/// The first point of the history comes after five seconds.
const PATIENCE: Duration = Duration::from_secs(60);

/// A process with a page, ended with this.
struct Served {
    child: Child,
    url: String,
}

impl Served {
    fn start(command: &mut Command, port: u16) -> Self {
        let log = Stdio::null();
        let child = command.stdout(log).stderr(Stdio::null()).spawn();
        Self {
            child: child.expect("started"),
            url: format!("http://127.0.0.1:{port}"),
        }
    }

    fn get(&self, path: &str) -> Option<String> {
        let mut answer = ureq::get(format!("{}/{path}", self.url)).call().ok()?;
        answer.body_mut().read_to_string().ok()
    }

    fn json(&self, path: &str) -> Option<Value> {
        serde_json::from_str(&self.get(path)?).ok()
    }

    /// What `look` finds, as soon as it finds something.
    fn wait<T>(&self, look: impl Fn() -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            if let Some(found) = look() {
                return found;
            }
            assert!(begun.elapsed() < PATIENCE, "nothing within {PATIENCE:?}");
            std::thread::sleep(Duration::from_millis(200));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound").port()
}

/// Two addresses, of which one answers 404, and a folder.
struct Bench {
    good: Captor,
    bad: Captor,
    folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self {
            good: Captor::answering(200, ANSWER),
            bad: Captor::answering(404, "nothing here"),
            folder: tempfile::tempdir().expect("a temporary folder"),
        }
    }

    fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path.display().to_string()
    }

    /// A run of a suite with a script that throws.
    fn ours(&self) -> Served {
        let script = format!(
            "import http from 'k6/http';\nimport {{ sleep }} from 'k6';\n\
             export const options = {{ vus: 2, duration: '50s' }};\n\
             function buy() {{ throw new Error('no stock'); }}\n\
             export default function () {{\n  http.get('{}/look');\n  http.get('{}/missing');\n  sleep(0.1);\n  buy();\n}}\n",
            self.good.url, self.bad.url
        );
        let script = self.write("script.js", &script);
        let port = free_port();
        let page = format!("--web=127.0.0.1:{port}");
        let results = self.folder.path().join("results").display().to_string();
        let mut command = sparring();
        command.args(["test", "acis", "load", "--script", &script, "--base-url"]);
        command.args([&self.good.url, &page, "--results", &results]);
        Served::start(&mut command, port)
    }

    /// Locust with the same requests.
    fn theirs(&self) -> Served {
        let file = format!(
            "from locust import HttpUser, constant, task\n\nclass Shopper(HttpUser):\n    wait_time = constant(0.1)\n\n\
             \x20   @task\n    def look(self):\n        self.client.get('/look')\n        self.client.get('{}/missing')\n\
             \x20       raise ValueError('no stock')\n",
            self.bad.url
        );
        let file = self.write("locustfile.py", &file);
        let port = free_port();
        let mut command = Command::new("locust");
        command.args([
            "-f",
            &file,
            "--autostart",
            "-u",
            "2",
            "-r",
            "2",
            "-t",
            "50s",
        ]);
        command.args(["--web-host", "127.0.0.1", "--web-port", &port.to_string()]);
        command.args(["--host", &self.good.url]);
        Served::start(&mut command, port)
    }
}

/// The page's figures once they have a history.
fn with_history(served: &Served) -> Value {
    served.wait(|| {
        let figures = served.json("stats/requests")?;
        let has_points = !figures["history"].as_array()?.is_empty();
        has_points.then_some(figures)
    })
}

#[test]
fn sizes_exceptions_and_history_are_those_of_the_run_and_are_kept() {
    let bench = Bench::new();
    let mut page = bench.ours();
    let figures = with_history(&page);
    let row = |name: &str| {
        let rows = figures["stats"].as_array().expect("rows").iter();
        let mut found =
            rows.filter(|row| row["name"].as_str().is_some_and(|it| it.ends_with(name)));
        found.next().expect("a row").clone()
    };
    assert_eq!(row("/look")["avg_content_length"], ANSWER.len() as f64);
    assert_eq!(row("/missing")["avg_content_length"], 12.0);
    let point = &figures["history"][0];
    assert!(point["current_rps"][1].as_f64() > Some(1.0), "{point}");
    assert_eq!(point["user_count"][1], 2);
    let exceptions = page.json("exceptions").expect("JSON");
    let exception = &exceptions["exceptions"][0];
    assert_eq!(exception["msg"], "Error: no stock");
    assert_eq!(exception["nodes"], "local");
    assert!(exception["count"].as_u64() > Some(5), "{exceptions}");
    let places: Vec<&str> = exception["traceback"]
        .as_str()
        .expect("a text")
        .lines()
        .collect();
    assert!(
        places[0].starts_with("at buy (") && places[1].starts_with("at default ("),
        "{places:?}"
    );
    let table = page.get("exceptions/csv").expect("a table");
    assert!(table.contains(",Error: no stock,\"at buy ("), "{table}");
    let table = page.get("stats/requests/csv").expect("a table");
    assert!(
        table
            .lines()
            .any(|line| line.contains("/look,") && line.contains(",11,")),
        "{table}"
    );
    page.get("stop").expect("it stops");
    page.child.wait().expect("it ends");
    // The same in the record, which the evidence confirms.
    let run = newest(&bench.folder.path().join("results"));
    let text = std::fs::read_to_string(run.join("report.json")).expect("a record");
    let record: Value = serde_json::from_str(&text).expect("JSON");
    let test = &record["tests"][0];
    assert_eq!(test["exceptions"][0]["message"], "Error: no stock");
    let bytes = |figures: &Value| figures["content_bytes"].as_u64().expect("measured");
    let endpoints = test["endpoints"].as_array().expect("a list");
    let sum: u64 = endpoints.iter().map(|it| bytes(&it["figures"])).sum();
    assert_eq!(bytes(&test["figures"]), sum);
    let run = run.display().to_string();
    let verified = call(["verify", &run]);
    assert_eq!(verified.code, Some(0), "{}", verified.stdout);
}

fn newest(folder: &Path) -> std::path::PathBuf {
    let entries = std::fs::read_dir(folder).expect("made").flatten();
    let mut runs: Vec<_> = entries
        .map(|entry| entry.path())
        .filter(|path| path.join("report.json").is_file())
        .collect();
    runs.sort();
    runs.pop().expect("a run")
}

/// The paths of all keys of a value; of a list those of its first entry.
fn keys(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                keys(value, &path, found);
                found.insert(path);
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first() {
                keys(first, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_field_of_real_locusts_page_is_on_ours() {
    if !has_real_locust() {
        return;
    }
    let bench = Bench::new();
    let (ours, theirs) = (bench.ours(), bench.theirs());
    let own = with_history(&ours);
    // Locust has its history in the page alone.
    let page = theirs.wait(|| {
        let page = theirs.get("")?;
        let begin = page.find("\"history\": [{")? + "\"history\": ".len();
        let mut values = serde_json::Deserializer::from_str(&page[begin..]).into_iter::<Value>();
        values.next()?.ok()
    });
    let check = |what: &str, theirs: &Value, ours: &Value| {
        let [mut expected, mut found] = [BTreeSet::new(), BTreeSet::new()];
        keys(theirs, "", &mut expected);
        keys(ours, "", &mut found);
        let missing: Vec<&String> = expected.difference(&found).collect();
        assert!(missing.is_empty(), "{what} lacks {missing:?}: {ours:#}");
        assert!(expected.len() >= 2, "{what}: {theirs:#}");
    };
    let figures = theirs.json("stats/requests").expect("JSON");
    check("history", &page, &own["history"]);
    check("stats/requests", &figures, &own);
    let both = |path: &str| [&theirs, &ours].map(|page| page.json(path).expect("JSON"));
    for path in ["exceptions", "logs"] {
        let [expected, found] = both(path);
        check(path, &expected, &found);
    }
    // The tasks of the user's own script are unknown.
    let tasks = |class: &str, tasks: Value| {
        let shares = json!({ class: { "ratio": 1.0, "tasks": tasks } });
        json!({ "per_class": shares, "total": shares })
    };
    let expected = [
        tasks("Shopper", json!({ "look": { "ratio": 1.0 } })),
        tasks("ACISAPIUser", json!({})),
    ];
    assert_eq!(both("tasks"), expected);
    for path in ["stats/requests/csv", "stats/failures/csv", "exceptions/csv"] {
        let header = |page: &Served| page.get(path)?.lines().next().map(str::to_owned);
        assert_eq!(header(&ours), header(&theirs), "{path}");
    }
}
