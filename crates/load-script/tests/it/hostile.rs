//! Scripts that mean harm, or might as well: each ends with its own error, the others go on.

use crate::run::run;

/// Runs `bad` as the iterations of one virtual user beside another one that is fine; what the bad one
/// logs as errors.
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
    ] {
        let errors = beside_a_good_one(bad);
        assert_eq!(errors.len(), 2, "{bad}");
        assert!(errors[0].contains("RangeError"), "{bad}: {errors:?}");
    }
}

#[test]
fn an_array_longer_than_memory_is_an_error() {
    let errors = beside_a_good_one("new ArrayBuffer(2 ** 40)");
    assert_eq!(errors.len(), 2);
    let errors = beside_a_good_one("'x'.repeat(2 ** 31)");
    assert_eq!(errors.len(), 2, "{errors:?}");
}
