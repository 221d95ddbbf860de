//! Scripts of a few lines about names that are declared twice or missing in a module. Exit code, `console` and the
//! messages are k6's.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use super::{find_k6, log_lines};
use crate::binary::sparring;

/// The modules that the scripts import.
const MODULES: &[(&str, &str)] = &[
    ("common.js", "exports.a = 1;"),
    ("plain.js", "export const a = 1;"),
    ("lacks.js", "exports.x = require('./common.js').missing;"),
    ("hands_on.js", "export { missing } from './common.js';"),
    (
        "renames.js",
        "export { missing as default } from './common.js';",
    ),
    ("all.js", "export * from './common.js';"),
    ("wrong.js", "export { missing } from './plain.js';"),
];

/// The end of most scripts.
const MAIN: &str = "export default function () { console.log('ran'); }";

/// Names that are declared twice, or seem to be. `MAIN` is the end of most scripts.
const TWICE: &[&str] = &[
    "function f() { return 1; }\nfunction f() { return 2; }\nexport default function () { console.log('ran', f()); }",
    "export default function () { { function f() { return 1; } function f() { return 2; } console.log('ran', f()); } }",
    "const a = 1;\nconst a = 2;\nMAIN",
    "let a = 1;\nvar a = 2;\nMAIN",
    "var a = 1;\nlet a = 2;\nMAIN",
    "import http from 'k6/http';\nconst http = 1;\nMAIN",
    "import { check } from 'k6';\nlet check;\nMAIN",
    "import { check } from 'k6';\nclass check {}\nMAIN",
    "import { check } from 'k6';\nimport { check } from 'k6';\nMAIN",
    "import * as k6 from 'k6';\nimport k6 from 'k6';\nMAIN",
    "function f() {}\nconst f = 1;\nMAIN",
    "function f() {}\nvar f = 1;\nMAIN",
    "var f = 1;\nfunction f() {}\nMAIN",
    "class A {}\nclass A {}\nMAIN",
    "export default function () { const a = 1; const a = 2; }",
    "export default function () { let a = 1; { var a = 2; } }",
    "export default function (a) { let a = 1; }",
    "export default function (a) { var a; console.log(a); }",
    "export default function () { function f() {} var f = 1; console.log(f); }",
    "export default function () { function f() { return 1; } function f() { return 2; } console.log(f()); }",
    "export default function () { try { throw 1; } catch (e) { let e = 2; } }",
    "export default function () { try { throw 1; } catch (e) { var e = 2; console.log('ran', e); } }",
    "export default function () { for (let i = 0; i < 1; i++) { var i = 2; } }",
    "export default function () { for (let i = 0; i < 1; i++) { let i = 2; console.log(i); } }",
    "export default function () { switch (1) { case 1: let a = 1; break; case 2: let a = 2; } }",
    "export default function () { { let g; function g() {} } }",
    "export default function () { { function g() {} var g; } }",
    "export default function () { const { a, a } = {}; }",
    "export default function () { let undefined = 1; console.log('ran', undefined); }",
    "let undefined = 1;\nMAIN",
    "let console = 1;\nexport default function () {}",
    "function open() {}\nlet require = 2;\nMAIN",
    "export const a = 1;\nexport const a = 2;\nMAIN",
    "export default function () {}\nexport default function () {}",
    "const a = 1;\nexport { a, a };\nMAIN",
    "const a = 1;\nexport { a as b };\nexport const b = 2;\nMAIN",
    "export { a };\nMAIN",
    "'use strict';\nexport default function (a, a) {}",
    "export default (a, a) => {};",
    "export default function () { l: for (;;) { l: for (;;) {} } }",
    "export default function () { class A { constructor() {} constructor() {} } }",
    "export default function () { return { __proto__: null, __proto__: null }; }",
    "export async function f() { async function g() {} async function g() {} }\nMAIN",
    "exports.default = function () { console.log('ran', f()); };\nfunction f() { return 1; }\nfunction f() { return 2; }",
    "const a = 1;\nexports.default = function () {};\nconst a = 2;",
    "exports.default = function (a, a) {};",
    "async function f() {}\nasync function f() {}\nMAIN",
    "export default function () { { let x; { var x; } } }",
    "export default function () { function* g() {} function* g() {} }",
    "export default function () { let f; function f() {} }",
    "export default function () { function f() {} class f {} }",
    "export function f() {}\nexport function f() {}\nMAIN",
    "function f() {}\nexport function f() { return 2; }\nexport default function () { console.log('ran', f()); }",
    "export default function f() { console.log('ran'); }\nfunction f() { console.log('second'); }",
    "export default function () { switch (1) { case 1: function f() {} case 2: function f() {} } }",
    "exports.default = function () {};\nfunction f() {}\nvar f;",
    "exports.default = function () {};\nfunction f() {}\nlet f;",
    "exports.default = function () {};\nlet exports;",
    "exports.default = function () {};\nconst module = 1;",
    "exports.default = function () { console.log('ran'); };\nconst require = 1;",
    "import { check } from 'k6';\nexport default function () { let check = 1; { var y; } console.log('ran'); }",
    "export default ([a, { b: a }]) => {};",
    "export default ({ m(a, a) {} });",
    "export default function () { try {} catch ({ a, a }) {} }",
    "export default function () { try {} catch ({ a }) { var a; } }",
    "export default function () { for (const a of [1]) { var a; } }",
    "export default function () { for (const a of [1]) { let a; } for (let [x, x] of []); }",
    "export default function () { class A { static { let a; var a; } } }",
    "export default function a() { let a = 1; console.log('ran', a); }",
    "export default (function (a = () => { var a; }) { var a; console.log('ran'); });",
    "async function f() {}\nfunction f() {}\nMAIN",
    "export default function () { async function f() {} function f() {} }",
    "export default function () { async function f() {} var f; console.log('ran'); }",
    "var f; async function f() {}\nMAIN",
    "let d; export { d as default }; export default function () {}",
    "export * from 'k6'; export * from 'k6/encoding';\nMAIN",
    "export const ä = 1, é = 2; const é = 3;\nMAIN",
    "import a, { default as b } from 'k6'; import { check as a } from 'k6';\nMAIN",
    "export { x } from 'k6'; export { x } from 'k6/http';\nMAIN",
    "exports.default = function () { console.log(typeof this, (function () { return typeof this; })()); };",
    "exports.default = function () { undeclared = 5; };",
];

/// Names that a module lacks.
const MISSING: &[&str] = &[
    "exports.x = require('./common.js').missing;\nexports.default = () => console.log('ran', exports.x);",
    "import { missing } from './hands_on.js';\nexport default () => console.log('ran', missing);",
    "import { missing } from './all.js';\nexport default () => console.log('ran', missing);",
    "import missing from './renames.js';\nexport default () => console.log('ran', missing);",
    "import { x } from './lacks.js';\nexport default () => console.log('ran', x);",
    "import * as all from './hands_on.js';\nexport default () => console.log('ran', Object.keys(all).join(), 'missing' in all);",
    "import * as all from './all.js';\nexport default () => console.log('ran', Object.keys(all).join(), 'missing' in all, all.missing);",
    "export { missing } from './common.js';\nMAIN",
    "export { missing as options } from './common.js';\nMAIN",
    "export { missing as setup } from './common.js';\nMAIN",
    "export { missing } from 'k6';\nMAIN",
    "export * from './common.js';\nMAIN",
    "import { missing } from './common.js';\nexport { missing };\nMAIN",
    "const all = require('./hands_on.js');\nexports.default = () => console.log('ran', Object.keys(all).join());",
    "export { missing as default } from './common.js';",
    "export { default } from './common.js';",
    "export { missing } from './plain.js';\nMAIN",
    "import { missing } from './plain.js';\nMAIN",
    "import missing from './plain.js';\nMAIN",
    "export * from './wrong.js';\nMAIN",
    "const all = require('./wrong.js');\nexports.default = () => console.log('ran');",
    "exports.default = () => console.log('ran', require('./plain.js').missing);",
    "const { missing } = require('./plain.js');\nexports.default = () => console.log('ran', missing);",
];

/// Exports of the wrong type.
const KINDS: &[&str] = &[
    "export const setup = 5;\nMAIN",
    "export const setup = undefined;\nMAIN",
    "export const teardown = null;\nMAIN",
    "exports.setup = '';\nexports.default = () => {};",
    "export const handleSummary = 5;\nMAIN",
    "export const options = null;\nMAIN",
    "export const options = undefined;\nMAIN",
    "export function options() {}\nMAIN",
    "export class options {}\nMAIN",
    "export const options = { thresholds: { http_reqs: [() => 1] } };\nMAIN",
    "export const options = { get iterations() { return 2; }, toJSON() { return {}; } };\nMAIN",
    "const options = { iterations: 1 };\noptions.self = options;\nexport { options };\nMAIN",
    "export default 5;",
    "export default { default() {} };",
];

/// Exit code and log of a run.
fn told(mut driver: Command, folder: &Path) -> String {
    driver.args([
        "run",
        "-q",
        "--no-summary",
        "--address",
        "127.0.0.1:0",
        "x.js",
    ]);
    driver
        .current_dir(folder)
        .env("HOME", folder)
        .env("XDG_CONFIG_HOME", folder);
    let output = driver.output().expect("it runs");
    let log = String::from_utf8_lossy(&output.stderr);
    let lines = log
        .lines()
        .map(|line| line.split_once(" level=").map_or(line, |(_, rest)| rest));
    let lines: Vec<String> = lines.map(log_lines::without_stack).collect();
    let text = format!("{:?} {}", output.status.code(), lines.join("\n"));
    text.replace(&folder.display().to_string(), "HERE")
}

fn check(scripts: &[&str]) {
    let Some(k6) = find_k6() else { return };
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in MODULES {
        std::fs::write(folder.path().join(name), text).expect("it can be written");
    }
    let mut wrong = Vec::new();
    for script in scripts {
        let script = script.replace("MAIN", MAIN);
        std::fs::write(folder.path().join("x.js"), &script).expect("it can be written");
        let expected = told(Command::new(&k6), folder.path());
        let mut ours = sparring();
        ours.arg0("k6").env("SPARRING_GENERATOR_HEALTH", "never");
        let found = told(ours, folder.path());
        if found != expected {
            wrong.push(format!("{script}\n  k6:   {expected}\n  ours: {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_that_are_declared_twice_are_refused_as_in_k6() {
    check(TWICE);
}

#[test]
fn names_that_a_module_lacks_are_as_in_k6() {
    check(MISSING);
}

#[test]
fn exports_of_a_wrong_kind_are_refused_as_in_k6() {
    check(KINDS);
}
