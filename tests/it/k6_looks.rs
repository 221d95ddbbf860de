//! `k6 deps` and `k6 inspect`: information about a script without running it.

use serde_json::{Value, json};

use crate::binary::Ended;
use crate::k6_command::{call, folder_with, k6};

fn json_of(ended: &Ended) -> Value {
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    serde_json::from_str(&ended.stdout).expect("JSON alone")
}

#[test]
fn deps_lists_what_a_script_imports_without_running_it() {
    let folder = folder_with(&[
        (
            "x.js",
            "'use k6 >= 2'; import http from 'k6/http'; import './lib/a.js'; throw new Error('it runs');",
        ),
        ("lib/a.js", "export * from './b.ts';"),
        (
            "lib/b.ts",
            "import { sleep } from 'k6'; export const wait = (s: number) => sleep(s);",
        ),
    ]);
    let here = |name: &str| format!("file://{}/{name}", folder.path().display());
    let ended = call(folder.path(), &["deps", "--json", "x.js"]);
    let expected = json!({
        "buildDependencies": { "k6": ">= 2" },
        "imports": [here("lib/a.js"), here("lib/b.ts"), "k6", "k6/http"],
        "customBuildRequired": false,
    });
    assert_eq!(json_of(&ended), expected);
    let ended = call(folder.path(), &["deps", "x.js"]);
    let expected = format!(
        "Build dependencies:\n  k6 >= 2\n\nImports:\n  {}\n  {}\n  k6\n  k6/http\n\nCustom build required: no\n",
        here("lib/a.js"),
        here("lib/b.ts")
    );
    assert_eq!(ended.stdout, expected);
}

#[test]
fn deps_names_extensions_and_their_versions() {
    let folder = folder_with(&[(
        "x.js",
        "import faker from 'k6/x/faker'; export default () => faker.x();",
    )]);
    let mut command = k6(folder.path());
    command.args(["deps", "--json", "x.js"]);
    command.env(
        "K6_DEPENDENCIES_MANIFEST",
        r#"{"k6/x/faker": ">=v0.4", "k6/x/sql": "*"}"#,
    );
    let output = command
        .output()
        .expect("the binary was built for this test");
    let found = json_of(&Ended::from(output));
    assert_eq!(
        found["buildDependencies"],
        json!({ "k6/x/faker": ">=v0.4" })
    );
    assert_eq!(found["customBuildRequired"], true);
}

#[test]
fn deps_knows_which_extension_is_built_in() {
    let check = |imports: &str, needs_another: bool| {
        let text = format!("{imports}; export default () => {{}};");
        let folder = folder_with(&[("x.js", text.as_str())]);
        let found = json_of(&call(folder.path(), &["deps", "--json", "x.js"]));
        assert_eq!(found["customBuildRequired"], needs_another, "{imports}");
    };
    check("import redis from 'k6/x/redis'", false);
    check("import redis from 'k6/experimental/redis'", false);
    check(
        "import redis from 'k6/x/redis'; import sql from 'k6/x/sql'",
        true,
    );
}

#[test]
fn deps_reads_archives() {
    let folder = folder_with(&[
        ("x.js", "import './a.js'; export default () => {};"),
        ("a.js", "import 'k6/encoding';"),
    ]);
    let archived = call(folder.path(), &["archive", "x.js"]);
    assert_eq!(archived.code, Some(0), "{}", archived.stderr);
    std::fs::remove_file(folder.path().join("a.js")).expect("it is there");
    let found = json_of(&call(folder.path(), &["deps", "--json", "archive.tar"]));
    let a = format!("file://{}/a.js", folder.path().display());
    assert_eq!(found["imports"], json!([a, "k6/encoding"]));
}

#[test]
fn deps_says_what_is_wrong() {
    let folder = folder_with(&[("x.js", "import './lost.js';")]);
    let lost = call(folder.path(), &["deps", "x.js"]);
    assert_eq!(lost.code, Some(255));
    assert!(
        lost.stderr.contains("./lost.js") && lost.stderr.contains("couldn't be found"),
        "{}",
        lost.stderr
    );
    let mut command = k6(folder.path());
    command
        .args(["deps", "x.js"])
        .env("K6_DEPENDENCIES_MANIFEST", "[1]");
    let output = command
        .output()
        .expect("the binary was built for this test");
    let ended = Ended::from(output);
    assert_eq!(ended.code, Some(104));
    assert!(
        ended
            .stderr
            .contains("K6_DEPENDENCIES_MANIFEST is not an object of versions"),
        "{}",
        ended.stderr
    );
    let unknown = call(folder.path(), &["deps", "--vus", "3", "x.js"]);
    assert!(
        unknown.stderr.contains("unknown flag: --vus"),
        "{}",
        unknown.stderr
    );
}
