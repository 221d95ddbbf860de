//! Hostile scripts: each ends with its own error, and the others continue.

use crate::run::run;

/// Runs `bad` as the iterations of one virtual user beside a good one. Returns the errors that the bad one
/// logs.
fn beside_a_good_one(bad: &str) -> Vec<String> {
    let script = format!(
        "import {{ sleep }} from 'k6';
         export const options = {{ scenarios: {{
            bad: {{ executor: 'per-vu-iterations', vus: 1, iterations: 2, exec: 'bad' }},
            good: {{ executor: 'per-vu-iterations', vus: 1, iterations: 20, exec: 'good' }} }} }};
         export function bad() {{ {bad} }}
         export function good() {{ sleep(0.005); console.log('good'); }}"
    );
    let finished = run(&script);
    assert_eq!(finished.said(), ["good"; 20], "{bad}");
    assert_eq!(finished.value("iterations", "count"), 22.0, "{bad}");
    let errors = finished
        .lines
        .iter()
        .filter(|line| line.starts_with("Error"));
    errors.cloned().collect()
}

#[test]
fn whatever_is_thrown_is_logged_and_ends_only_its_iteration() {
    for (bad, expected) in [
        (
            "throw null",
            "Error null\n\tat bad (file:///scripts/test.js)\n",
        ),
        ("throw undefined", "Error undefined\n"),
        ("throw Symbol('s')", "Error s\n"),
        ("throw 5n", "Error 5\n"),
        ("throw [1, 2]", "Error 1,2\n"),
        (
            "throw { toString() { throw new Error('again') } }",
            "Error an exception that has no text",
        ),
        (
            "throw new Proxy({}, { get() { throw 5 } })",
            "Error an exception that has no text",
        ),
        (
            "throw Object.create(null)",
            "Error an exception that has no text",
        ),
        (
            "const e = new Error('x'); Object.defineProperty(e, 'message', { get() { throw e } }); throw e",
            "Error an exception that has no text",
        ),
        (
            "const e = new Error('x'); Object.defineProperty(e, 'stack', { get() { throw e } }); throw e",
            "Error Error: x",
        ),
    ] {
        let errors = beside_a_good_one(bad);
        assert_eq!(errors.len(), 2, "{bad}: {errors:?}");
        assert!(errors[0].starts_with(expected), "{bad}: {errors:?}");
    }
}

#[test]
fn endless_recursion_ends_with_its_own_error() {
    for bad in [
        "const f = () => f() + 1; f()",
        "const o = { get x() { return this.x + 1 } }; o.x",
        "const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.x",
        "class A { constructor() { this.a = new A() } } new A()",
        "const list = []; list.push(list); const f = () => list.map(f); f()",
    ] {
        let errors = beside_a_good_one(bad);
        assert_eq!(errors.len(), 2, "{bad}");
        assert!(errors[0].contains("RangeError"), "{bad}: {errors:?}");
    }
}

#[test]
fn a_string_beyond_the_memory_is_an_error_that_can_be_caught() {
    for bad in [
        "new ArrayBuffer(2 ** 40)",
        "'x'.repeat(2 ** 31)",
        "new Uint8Array(2 ** 34)",
        "new Float64Array(2 ** 29)",
        "JSON.parse('[' + '1,'.repeat(1e8) + '1]')",
        "new Array(1e9).fill(1)",
        "new Array(2 ** 32)",
        "'x'.padEnd(2 ** 29).split('')",
    ] {
        let errors = beside_a_good_one(bad);
        assert_eq!(errors.len(), 2, "{bad}: {errors:?}");
        let caught = format!("try {{ {bad} }} catch (e) {{ throw 'caught' }}");
        let errors = beside_a_good_one(&caught);
        assert_eq!(errors.len(), 2, "{bad}: {errors:?}");
        assert!(errors[0].starts_with("Error caught"), "{errors:?}");
    }
}

#[test]
fn endless_allocation_ends_the_iteration_even_if_it_catches_errors() {
    for bad in [
        "const all = []; for (;;) all.push({ all, text: 'x' + all.length })",
        "let s = 'x'; for (;;) s += s + 'y'.repeat(1000)",
        "const all = []; for (;;) all.push(new ArrayBuffer(100000))",
        "const all = []; for (;;) try { all.push(new Array(1000).fill(1.5)) } catch (e) { }",
        "const all = new Map(); for (let n = 0; ; n++) all.set('key' + n, () => n)",
        "let list = null; for (;;) list = { list }",
        "const f = (n) => { try { return f(n + 1) } finally { for (;;) keep.push(new Array(100)) } }; const keep = []; f(0)",
        "let text = '{'; for (let n = 0; ; n++) { text += `\"k${n}\":[`; }",
        "const all = []; for (let n = 0; ; n++) all.push(Symbol(n), BigInt(n) ** 99n, /x/g, new Date(n))",
        "function* forever() { for (;;) yield {} } Array.from(forever())",
        "const p = []; for (;;) p.push(Promise.resolve(p).then(() => p))",
    ] {
        let errors = beside_a_good_one(bad);
        assert_eq!(errors.len(), 2, "{bad}: {errors:?}");
        for error in errors {
            let is_told = error.starts_with("Error out of memory: virtual user 1 holds ")
                || error.starts_with("Error out of memory: virtual user 2 holds ")
                || error.starts_with("Error RangeError: ")
                || error.starts_with("Error InternalError: string too long");
            assert!(is_told, "{bad}: {error}");
        }
    }
}

#[test]
fn garbage_does_not_end_an_iteration() {
    let errors = beside_a_good_one(
        "for (let n = 0; n < 300000; n++) { const a = { n, t: 'x'.repeat(500) }; a.self = a; a.more = [a] }",
    );
    assert_eq!(errors, [""; 0]);
}

#[test]
fn memory_kept_between_iterations_counts_too() {
    let finished = run("const kept = [];
         export const options = { vus: 1, iterations: 60 };
         export default function () {
             for (let n = 0; n < 10; n++) kept.push(new Uint8Array(200000));
             console.log(kept.length);
         }");
    let errors = finished.lines.iter().filter(|line| {
        line.starts_with("Error out of memory: virtual user 1 holds ")
            && line.contains(" MB of the 16 MB that it may hold")
    });
    let ended = errors.count();
    assert!(ended >= 40, "{:?}", finished.lines);
    assert_eq!(finished.said().len() + ended, 60);
    assert_eq!(finished.value("iterations", "count"), 60.0);
}

#[test]
fn endless_allocation_in_init_code_is_an_exception() {
    let text =
        crate::run::load_error("const all = []; for (;;) all.push([all]); export default () => {}");
    assert!(
        text.starts_with("out of memory: virtual user 0 holds "),
        "{text}"
    );
}

/// Runs `bad` as the only iteration of a scenario that lasts 300 ms, beside a good one.
fn until_the_end(bad: &str) -> crate::run::Finished {
    let script = format!(
        "import {{ sleep }} from 'k6';
         export const options = {{ scenarios: {{
            bad: {{ executor: 'constant-vus', vus: 1, duration: '300ms', gracefulStop: '100ms', exec: 'bad' }},
            good: {{ executor: 'per-vu-iterations', vus: 1, iterations: 20, exec: 'good' }} }} }};
         export {{ bad }}; {bad}
         export function good() {{ sleep(0.005); console.log('good'); }}"
    );
    let finished = run(&script);
    assert_eq!(finished.said(), ["good"; 20], "{bad}");
    finished
}

#[test]
fn endless_code_is_interrupted_with_its_scenario() {
    for bad in [
        "function bad() { for (;;); }",
        "function bad() { for (;;) try { throw 1 } catch (e) { } finally { continue } }",
        "function bad() { while (true) { try { for (;;); } finally { for (;;); } } }",
        "function bad() { for (;;) try { null.x } catch (e) { } finally { continue } }",
        "async function bad() { for (;;) await null; }",
        "async function bad() { for (;;) await Promise.reject(1).catch(() => 1); }",
        "function bad() { const again = () => Promise.resolve().then(again); return again(); }",
        "function bad() { const thenable = { then(f) { f(thenable) } }; return Promise.resolve(thenable); }",
        "function bad() { const again = () => setTimeout(again, 0); again(); }",
        "function bad() { setInterval(() => { for (;;); }, 1); }",
        "async function bad() { await new Promise(() => { }); for (;;); }",
        "function bad() { /^(a+)+$/.test('a'.repeat(60) + '!'); }",
        "function bad() { 'x'.repeat(2000).replace(/(x+x+)+y/, ''); }",
        "function bad() { [1, 2].sort(function f() { return [2, 1].sort(f).length; }); for (;;); }",
        "function bad() { new Proxy({}, { get() { for (;;); } }).x; }",
        "function bad() { JSON.stringify({ toJSON() { for (;;); } }); }",
        "function bad() { `${{ toString() { for (;;); } }}`; }",
        "function bad() { Array.from({ length: 2 ** 53 - 1 }, () => 0); }",
        "function bad() { const g = (function* () { for (;;) yield 1 })(); for (const x of g); }",
        "function bad() { [].concat(...Array(10)).map.call({ length: 2 ** 40 }, (x) => x); for (;;); }",
    ] {
        let finished = until_the_end(bad);
        let others = finished
            .lines
            .iter()
            .filter(|line| line.starts_with("Error"));
        // An endless chain may be retained as a whole; then the memory limit ends it.
        let own = |line: &&String| line.contains("RangeError") || line.contains("out of memory");
        let others: Vec<_> = others.filter(|line| !own(line)).collect();
        assert!(others.is_empty(), "{bad}: {others:?}");
    }
}

#[test]
fn a_loop_of_long_native_calls_is_interrupted_with_its_scenario() {
    let all = "const all = Array.from({ length: 50000 }, (_, n) => n * 7919 % 1000003);";
    for call in [
        "JSON.stringify(all)",
        "all.slice().sort()",
        "'x'.repeat(200000).split('')",
        "new Float64Array(100000).fill(1).sort()",
        "all.concat(all).join()",
        "all.indexOf(-1)",
        "(7n ** 300000n).toString()",
        "try { all.indexOf(-1); null.x } catch (e) { }",
        "try { all.map(() => { null.x }) } catch (e) { } finally { all.indexOf(-1) }",
    ] {
        let finished = until_the_end(&format!("function bad() {{ {all} for (;;) {call}; }}"));
        let failed = finished.lines.iter().any(|line| line.starts_with("Error"));
        assert!(!failed, "{call}: {:?}", finished.lines);
    }
}

#[test]
fn unhandled_rejections_end_only_their_iteration() {
    for bad in [
        "Promise.reject(new Error('lost'))",
        "new Promise((_, refuse) => refuse('lost'))",
        "(async () => { throw 'lost' })()",
        "for (let n = 0; n < 1000; n++) Promise.reject('lost')",
        "Promise.resolve().then(() => Promise.resolve()).then(() => { throw 'lost' })",
        "Promise.all([Promise.reject('lost'), new Promise(() => { })])",
        "Promise.reject({ get message() { throw 'lost' }, toString() { return 'lost' } })",
    ] {
        let errors = beside_a_good_one(bad);
        assert_eq!(errors.len(), 2, "{bad}: {errors:?}");
        assert!(
            errors[0].starts_with("Error Uncaught (in promise) "),
            "{errors:?}"
        );
        assert!(errors[0].contains("lost"), "{bad}: {errors:?}");
    }
}

#[test]
fn a_thrown_value_may_be_huge_or_cyclic() {
    for bad in [
        "throw new Error('x'.repeat(1e6))",
        "throw 'x'.repeat(1e6)",
        "const ring = {}; ring.ring = ring; throw ring",
        "const e = new Error('x'); e.cause = e; e.stack = 'x'.repeat(1e6); throw e",
        "class E extends Error { get stack() { throw this } get name() { throw this } } throw new E('x')",
        "throw new Proxy(new Error('x'), { get() { throw 1 }, getPrototypeOf() { throw 2 } })",
        "throw (function* () { })()",
        "throw new AggregateError([new Error('a'), 1], 'many')",
        "throw Object.assign(() => 1, { toString: null })",
    ] {
        let errors = beside_a_good_one(bad);
        assert_eq!(errors.len(), 2, "{bad}: {errors:?}");
    }
}
