//! An error in a script is reported with its place, before any load starts.

use crate::binary::call;

fn check(name: &str, script: &str, code: i32, expected: &[&str]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, script).expect("the folder is writable");
    let ended = call(["run".as_ref(), path.as_os_str()]);
    assert_eq!(ended.code, Some(code), "{}{}", ended.stdout, ended.stderr);
    for part in expected {
        assert!(
            ended.stderr.contains(part),
            "no {part:?} in {}",
            ended.stderr
        );
    }
}

#[test]
fn a_syntax_error_names_file_line_and_column() {
    let script = "import http from 'k6/http';\nexport default function () {\n  const = 1;\n}\n";
    check("broken.js", script, 107, &["broken.js", "3:"]);
}

#[test]
fn an_exception_in_init_code_ends_with_its_own_code() {
    check(
        "init.js",
        "throw new Error('no luck');\nexport default function () {}\n",
        107,
        &["no luck"],
    );
}

#[test]
fn wrong_options_are_refused() {
    let script = "export const options = { vus: 'many' };\nexport default function () {}\n";
    check("options.js", script, 104, &["vus"]);
}

#[test]
fn a_threshold_that_cannot_be_parsed_is_refused() {
    let script = "export const options = { thresholds: { http_reqs: ['count>>1'] } };\n\
                  export default function () {}\n";
    check("thresholds.js", script, 104, &["count>>1"]);
}

#[test]
fn a_missing_script_is_named() {
    let ended = call(["run", "/nowhere/script.js"]);
    assert_eq!(ended.code, Some(255));
    assert!(
        ended.stderr.contains("/nowhere/script.js"),
        "{}",
        ended.stderr
    );
}
