//! The JSON output of commands conforms to docs/schemas.

use std::path::Path;

use report::testing;
use serde_json::Value;

use crate::binary::call;

fn schema(name: &str) -> jsonschema::Validator {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schemas");
    let path = folder.join(format!("{name}.schema.json"));
    let text = std::fs::read_to_string(&path).expect("a schema");
    let schema: Value = serde_json::from_str(&text).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// The output of a command is valid; without any one of its fields, or with one more, it is not.
fn check(name: &str, found: &Value) {
    let schema = schema(name);
    let errors: Vec<String> = schema
        .iter_errors(found)
        .map(|error| error.to_string())
        .collect();
    assert!(errors.is_empty(), "{name}: {errors:?}\n{found:#}");
    let mut more = found.clone();
    more["unknown"] = Value::Bool(true);
    assert!(!schema.is_valid(&more), "{name} takes unknown fields");
    for key in found.as_object().expect("an object").keys() {
        let mut less = found.clone();
        less.as_object_mut().expect("an object").remove(key);
        let is_optional = name == "baseline" && key == "error_rate";
        assert_eq!(schema.is_valid(&less), is_optional, "{name} without {key}");
    }
}

fn printed(words: &[&str]) -> Value {
    let ended = call(words.iter().copied());
    let error = |error| panic!("{error}: {}{}", ended.stdout, ended.stderr);
    serde_json::from_str(&ended.stdout).unwrap_or_else(error)
}

#[test]
fn comparisons_verifications_explanations_and_baselines_are_as_their_schemas_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let put = |name: &str, run: &report::RunRecord| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(&path).expect("a folder");
        let text = report::record::write(run);
        std::fs::write(path.join("report.json"), text).expect("a file");
        path.display().to_string()
    };
    let run = testing::whole();
    let mut other = run.clone();
    other.tests.truncate(1);
    let (a, b) = (put("a", &run), put("b", &other));
    check("compare", &printed(&["compare", &a, &a, "--json"]));
    check(
        "compare",
        &printed(&["compare", &a, &b, "--json", "--force"]),
    );
    check("verify", &printed(&["verify", &a, "--json"]));
    let ids = printed(&["explain", &a, "--json"]);
    check("explain", &ids);
    for id in ids["ids"].as_array().expect("a list") {
        let id = id.as_str().expect("a text");
        let told = printed(&["explain", &a, id, "--json"]);
        check("explain", &told);
        assert_eq!(told["id"], id);
        let text = call(["explain", &a, id]).stdout;
        let line = |line: &Value| text.contains(line["text"].as_str().expect("a text"));
        let lines = told["lines"].as_array().expect("a list");
        assert!(lines.iter().all(line), "{id}: {text}\n{told:#}");
    }
    let baseline = report::view::baseline(&run).expect("it has requests");
    let baseline = serde_json::to_value(&baseline).expect("JSON");
    check("baseline", &baseline);
    let file = folder.path().join("performance_baseline.json");
    std::fs::write(&file, baseline.to_string()).expect("a file");
    let file = file.display().to_string();
    check("compare", &printed(&["compare", &file, &a, "--json"]));
}

#[test]
fn analyses_are_as_their_schemas_say() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("data.csv");
    let of = |words: &[&str], content: &str| {
        std::fs::write(&path, content).expect("a file");
        let file = path.display().to_string();
        let words: Vec<&str> = words
            .iter()
            .map(|word| if *word == "FILE" { &file } else { *word })
            .collect();
        printed(&words)
    };
    let scaling = "load,throughput\n1,64.9\n18,995.9\n36,1652.4\n72,1853.2\n108,1828.9\n144,1775.0\n216,1702.2\n";
    check(
        "analyze",
        &of(&["analyze", "scaling", "FILE", "--json"], scaling),
    );
    let ladder = "users,throughput,success_rate,mean_response_ms,cpu\n10,100,1,50,0.1\n20,195,1,51,0.2\n40,380,1,53,0.4\n\
                  80,700,0.99,60,0.7\n160,800,0.9,150,0.95\n";
    check(
        "analyze",
        &of(&["analyze", "scaling", "FILE", "--json"], ladder),
    );
    let busy = "load,throughput,cpu_utilisation,disk_utilisation\n1,10,0.04,0.10\n2,20,0.08,0.20\n3,30,0.12,0.30\n4,40,0.16,0.41\n\
                5,50,0.20,0.50\n6,59,0.24,0.60\n";
    check(
        "analyze",
        &of(&["analyze", "capacity", "FILE", "--json"], busy),
    );
    check(
        "analyze",
        &of(
            &["analyze", "capacity", "FILE", "--json"],
            "load,throughput\n1,10\n2,20\n3,29\n4,37\n",
        ),
    );
    let soak: String = (0..120)
        .map(|minute| format!("{minute},{},{}\n", 100 + minute, 50 + minute % 7))
        .collect();
    let soak = format!("time_s,rss_mb,p50_ms\n{soak}");
    check(
        "analyze",
        &of(
            &[
                "analyze",
                "soak",
                "FILE",
                "--limit",
                "rss_mb=4096",
                "--json",
            ],
            &soak,
        ),
    );
    let history: String = (0..40)
        .map(|run| {
            format!(
                "{run},{}\n",
                if run < 20 {
                    100 + run % 3
                } else {
                    130 + run % 3
                }
            )
        })
        .collect();
    let history = format!("run,throughput\n{history}");
    let found = of(&["changepoints", "FILE", "--json"], &history);
    check("changepoints", &found);
    assert!(
        !found["series"][0]["change_points"]
            .as_array()
            .expect("a list")
            .is_empty()
    );
}
