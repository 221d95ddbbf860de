//! The language of scripts, and how they end.

use crate::run::{check, load_error, run};

#[test]
fn a_script_runs_its_iterations_with_checks_groups_and_metrics() {
    let finished = run(r#"
        import { check, group, sleep } from 'k6';
        import { Counter, Trend, Rate, Gauge } from 'k6/metrics';
        const hits = new Counter('hits'), took = new Trend('took', true), fine = new Rate('fine'), level = new Gauge('level');
        export const options = { vus: 3, iterations: 9, thresholds: { hits: ['count==18'], checks: ['rate>0.4'] } };
        export default function () {
            group('outer', () => { group('inner', () => { check(1, { yes: (v) => v === 1, no: false }); }); });
            hits.add(2); took.add(1.5, { a: 'b' }); fine.add(true); level.add(7);
            sleep(0.001);
        }"#);
    assert_eq!(finished.lines, Vec::<String>::new());
    assert_eq!(finished.value("iterations", "count"), 9.0);
    assert_eq!(finished.value("hits", "count"), 18.0);
    assert_eq!(finished.value("checks", "rate"), 0.5);
    assert_eq!(finished.value("level", "value"), 7.0);
    assert_eq!(
        finished.value("group_duration", "count"),
        finished.value("group_duration", "count")
    );
    assert_eq!(finished.outcome.exit, load_engine::Exit::Success);
}

#[test]
fn exceptions_end_an_iteration_and_are_logged_as_k6_logs_them() {
    let finished = run("export default function () { throw new Error('boom') }");
    assert_eq!(
        finished.lines,
        ["Error Error: boom\n\tat default (file:///scripts/test.js:1:40)\n"]
    );
    assert_eq!(finished.value("iterations", "count"), 1.0);
    let finished = run("import { fail } from 'k6'; export default function () { fail('why') }");
    assert!(
        finished.lines[0].starts_with("Error GoError: why\n\tat "),
        "{:?}",
        finished.lines
    );
    let finished = run("export default async function () { await null; throw 'text' }");
    assert_eq!(finished.lines, ["Error Uncaught (in promise) text"]);
}

#[test]
fn invalid_code_is_refused_with_its_place() {
    let error = load_error("export default function () {\n  let a = ;\n}");
    assert!(
        error.starts_with("GoError: file:///scripts/test.js: Line 2:11 Unexpected token ;"),
        "{error}"
    );
    let error = load_error("import x from './missing.js'; export default function () {}");
    assert!(
        error.contains("missing.js") && error.contains("couldn't be found"),
        "{error}"
    );
    let error = load_error("import sql from 'k6/x/sql'; export default function () {}");
    assert!(error.contains("k6/x/sql"), "{error}");
    let error = load_error(
        "import http from 'k6/http'; http.get('http://x'); export default function () {}",
    );
    assert!(error.contains("init context"), "{error}");
    assert!(load_error("foo(); export default function () {}").contains("foo is not defined"));
    assert!(load_error("export const a = 1").contains("no exported functions"));
}

#[test]
fn setup_data_reaches_iterations_and_teardown() {
    let finished = run(r#"
        export const options = { vus: 2, iterations: 2 };
        export function setup() { return { n: 1, gone: undefined, list: [1] } }
        export default function (data) { data.n += 1; console.log('it', JSON.stringify(data)) }
        export async function teardown(data) { await null; console.log('end', JSON.stringify(data)) }"#);
    assert_eq!(
        finished.said().last(),
        Some(&"end {\"n\":1,\"gone\":null,\"list\":[1]}")
    );
    assert_eq!(
        finished.said()[0],
        "it {\"n\":2,\"gone\":null,\"list\":[1]}"
    );
}

#[test]
fn promises_and_timers_run_before_the_iteration_ends() {
    check(
        "setTimeout(() => say('later'), 5); Promise.resolve().then(() => say('job')); let n = 0;
         const t = setInterval(() => { n += 1; say('tick', n); if (n === 2) clearInterval(t) }, 20); say('now')",
        &["now", "job", "later", "tick 1", "tick 2"],
    );
}

#[test]
fn a_script_sees_its_numbers() {
    let finished = run(r#"
        import exec, { vu, scenario } from 'k6/execution';
        export const options = { scenarios: { one: { executor: 'per-vu-iterations', vus: 1, iterations: 2, env: { A: 'b' }, tags: { t: '1' }, exec: 'go' } } };
        export function go() {
            vu.metrics.tags.mine = 'x';
            console.log([__VU, __ITER, __ENV.HOME, __ENV.A, scenario.name, scenario.executor, exec.scenario.iterationInTest,
                vu.idInTest, vu.iterationInScenario, exec.test.options.scenarios.one.vus, vu.metrics.tags.scenario, vu.metrics.tags.mine, exec.instance.vusActive].join(' '))
        }"#);
    assert_eq!(
        finished.said(),
        [
            "1 0 /home/x b one per-vu-iterations 0 1 0 1 one x 1",
            "1 1 /home/x b one per-vu-iterations 1 1 1 1 one x 1"
        ]
    );
}

#[test]
fn shared_arrays_are_arrays_that_cannot_be_changed() {
    let finished = run(r#"
        import { SharedArray } from 'k6/data';
        const data = new SharedArray('d', () => [{ a: 1 }, { a: 2 }, { a: 3 }]);
        export default function () {
            let failed = '';
            try { data[0] = 1 } catch (e) { failed = e.name }
            let frozen = ''; try { 'use strict'; data[0].a = 9 } catch (e) { frozen = e.name }
            console.log(data.length, data[1].a, data.map((x) => x.a).join(), [...data].length, failed, frozen, data[7], Array.from(data).length);
            for (const x of data) { console.log(x.a) }
        }"#);
    assert_eq!(
        finished.said(),
        ["3 2 1,2,3 3 TypeError TypeError undefined 3", "1", "2", "3"]
    );
}

#[test]
fn base64_works_as_in_k6() {
    let finished = run(r#"
        import encoding from 'k6/encoding';
        export default function () {
            console.log(encoding.b64encode('hi?>'), encoding.b64encode('hi?>', 'rawurl'), encoding.b64decode('aGk/Pg==', 'std', 's'),
                new Uint8Array(encoding.b64decode('aGk')).length)
        }"#);
    assert_eq!(finished.said().len() + finished.lines.len(), 1);
    check("say(1)", &["1"]);
}

#[test]
fn endless_recursion_is_a_range_error_and_never_a_crash() {
    check(
        "const f = (n) => f(n + 1) + 1; try { f(0) } catch (e) { say(e.name) }
         const g = (n) => JSON.stringify({ toJSON() { return g(n + 1) } }); try { g(0) } catch (e) { say(e.name) }
         try { [1, 2].sort(function s() { return [2, 1].sort(s) }) } catch (e) { say(e.name) }
         let deep = (n) => n === 0 ? 0 : 1 + deep(n - 1); say(deep(150))",
        &["RangeError", "RangeError", "RangeError", "150"],
    );
}

#[test]
fn an_endless_loop_is_ended_by_the_clock_and_lets_others_run() {
    let finished = run(r#"
        export const options = { scenarios: {
            bad: { executor: 'constant-vus', vus: 1, duration: '1s', gracefulStop: '0s', exec: 'bad' },
            good: { executor: 'per-vu-iterations', vus: 1, iterations: 5, exec: 'good' } } };
        export function bad() { try { for (;;) {} } finally { console.log('never') } }
        export function good() { console.log('good') }"#);
    assert_eq!(finished.said(), ["good"; 5]);
}

#[test]
fn modules_of_all_kinds_can_be_imported() {
    let folder = tempfile::tempdir().expect("a folder");
    let write =
        |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("written");
    write(
        "es.js",
        "import { n } from './types.ts'; export const es = n + 1; export default 'default'",
    );
    write(
        "types.ts",
        "interface A { b: number }\nexport const n: number = 1 as number;",
    );
    write(
        "common.js",
        "const es = require('./es.js'); module.exports = { c: es.es + 1, http: require('k6/http').get }",
    );
    write(
        "bundle.js",
        "exports.__esModule = true; exports.default = () => 'bundled'; exports.named = 5",
    );
    write("data.json", "{\"d\": [1, 2]}");
    let script = format!(
        "import d, {{ es }} from '{0}/es.js'; import common, {{ c }} from '{0}/common.js'; import f, {{ named }} from '{0}/bundle.js';
         import data from '{0}/data.json'; const text = open('{0}/data.json');
         export default function () {{ console.log(d, es, c, common.c, typeof common.http, f(), named, data.d[1], text.length) }}",
        folder.path().display()
    );
    assert_eq!(
        run(&script).said(),
        ["default 2 3 3 function bundled 5 2 13"]
    );
    let finished = run(
        "exports.options = { iterations: 2 }; exports.default = function () { console.log('common') }",
    );
    assert_eq!(finished.said(), ["common", "common"]);
}

/// Everything that a suspension could confuse when realms share a runtime.
const TORTURE: &str = r#"
    import { sleep } from 'k6';
    import { vu } from 'k6/execution';
    export const options = { scenarios: { all: { executor: 'per-vu-iterations', vus: 40, iterations: 6 } } };
    const pause = () => sleep(Math.random() * 0.004);
    function* numbers() { for (let i = 0; i < 3; i++) { pause(); try { yield i; } finally { pause(); } } }
    const thrower = (n) => { try { pause(); throw new RangeError('r' + n); } finally { pause(); } };
    const later = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    function confirm(what, is) { if (!is) { throw new Error(what + ' is wrong in VU ' + vu.idInTest); } }
    export default async function () {
        const me = vu.idInTest;
        try { thrower(me); confirm('throw', false); } catch (e) {
            confirm('caught', e.message === 'r' + me); confirm('stack', e.stack.includes('thrower'));
        }
        confirm('generator', [...numbers()].join() === '0,1,2');
        const sorted = [3, 1, 2].sort((a, b) => { pause(); return a - b; });
        confirm('sort', sorted.join() === '1,2,3');
        confirm('replace', 'abc'.replace(/b/, () => { pause(); return me; }) === 'a' + me + 'c');
        confirm('toJSON', JSON.stringify({ toJSON() { pause(); return me; } }) === String(me));
        const steps = [];
        const job = Promise.resolve().then(() => { pause(); steps.push(1); }).then(() => { pause(); steps.push(2); });
        pause();
        confirm('jobs wait', steps.length === 0);
        await job;
        steps.push(vu.idInTest);
        confirm('order', steps.join() === '1,2,' + me);
        for (let i = 0; i < 50; i++) { const a = { me }; const b = { a, text: 'x'.repeat(100) }; a.b = b; }
        await Promise.all([later(1), later(2)]);
        const nested = await (async () => { try { await later(1); throw me; } catch (e) { pause(); return e; } finally { await later(1); } })();
        confirm('async', nested === me);
        confirm('eval', new Function('return ' + me)() === me);
        globalThis.mine = (globalThis.mine || 0) + 1;
        confirm('global', globalThis.mine === vu.iterationInScenario + 1);
        Array.prototype.mark = (Array.prototype.mark || 0) + 1;
        confirm('built-ins are its own', [].mark === vu.iterationInScenario + 1);
    }"#;

#[test]
fn virtual_users_that_share_an_engine_do_not_notice() {
    let finished = run(TORTURE);
    assert_eq!(finished.lines, Vec::<String>::new());
    assert_eq!(finished.value("iterations", "count"), 240.0);
}

#[test]
fn interrupted_promise_jobs_do_not_outlive_their_virtual_user() {
    let finished = run(r#"
        import { sleep } from 'k6';
        export const options = { scenarios: {
            cut: { executor: 'constant-vus', vus: 5, duration: '1s', gracefulStop: '0s', exec: 'cut' },
            fine: { executor: 'constant-vus', vus: 5, duration: '1s', gracefulStop: '0s', exec: 'fine' } } };
        export function cut() { Promise.resolve().then(() => { sleep(9); console.log('never') }); sleep(0.9); for (;;) { Promise.resolve().then(() => 1); sleep(0.05) } }
        export function fine() { sleep(0.01); }"#);
    assert_eq!(finished.lines, Vec::<String>::new());
}
