//! Hostile values in native functions cause an error at worst, never the end of the process.

use crate::run::run;
use crate::server;

#[test]
fn natives_survive_values_that_are_cyclic_throw_or_are_huge() {
    let host = server::start();
    for bad in [
        "const a = []; a.push(a); http.post(base, { a })",
        "const a = []; a.push(a); http.post(base, { f: http.file('x'), a })",
        "const a = []; a.push(a); http.get(a)",
        "const o = {}; o.o = o; http.get(o); http.request(o, base); http.batch([o]); http.batch(o)",
        "const o = {}; o.o = o; http.get(base, { headers: o, tags: o, cookies: o, timeout: o, jar: o, auth: o })",
        "http.get(base, new Proxy({}, { ownKeys() { throw new Error('no keys') } }))",
        "http.get(base, { get headers() { throw new Error('no headers') } })",
        "http.get(base, { headers: { get a() { http.get(base); return 'x' } } })",
        "http.get(base, { tags: { a: { toString() { throw 1 } } } })",
        "http.get({ toString() { throw new Error('no text') } })",
        "http.get('http://' + 'x'.repeat(1e6))",
        "http.get(base + '?' + 'x'.repeat(1e6))",
        "http.get(base, { headers: { ['x'.repeat(1e5)]: 'y'.repeat(1e6) } })",
        "http.batch(new Array(1000).fill(null))",
        "http.batch({ length: 1e9 })",
        "http.expectedStatuses(...new Array(10000).fill({ get min() { throw 1 } }))",
        "check(1, new Proxy({}, { ownKeys() { throw new Error('no keys') } }))",
        "check(1, { a() { return check(1, { a: this.a }) } })",
        "group('x'.repeat(1e6), () => 1)",
        "const f = () => group('g', f); f()",
        "fail('x'.repeat(1e6))",
        "console.log('x'.repeat(1e6)); const o = {}; o.o = o; console.log(o)",
        "console.log({ toJSON() { throw new Error('no JSON') } })",
        "parseHTML('<div>'.repeat(3000)).find('div div').size()",
        "parseHTML('<p>').find(':not('.repeat(50000) + 'p' + ')'.repeat(50000)).size()",
        "parseHTML('<p a=b>'.repeat(1000)).find('[a=b]').each(() => { throw new Error('once') })",
        "parseHTML('<' .repeat(100000) + '&'.repeat(100000)).html()",
        "JSON.parse('['.repeat(1e6))",
        "let o = {}; for (let n = 0; n < 1e5; n++) o = { o }; JSON.stringify(o)",
        "http.get(base).json('{'.repeat(10000)); http.get(base).json('@'.repeat(10000)); http.get(base).json('#('.repeat(10000))",
        "http.get(base).json('a' + '.a'.repeat(100000)); http.get(base).json('*'.repeat(10000))",
        "http.post(base, 'x', { compression: 'gzip,'.repeat(1000) + 'gzip' })",
        "new RegExp('('.repeat(100000))",
        "new Function('return 1' + '+1'.repeat(100000))()",
        "new Function('('.repeat(100000))()",
        "encoding.b64decode('A'.repeat(1e6)); encoding.b64encode('x'.repeat(1e6)); crypto.md5('x'.repeat(1e6), 'hex')",
        "crypto.randomBytes(1e12)",
        "crypto.hmac('md5', {}, {}, {})",
        "exec.vu.metrics.tags.a = { toString() { throw 1 } }",
        "exec.vu.tags = new Proxy({}, {})",
        "setTimeout({ call() { throw 1 } }, {}); setTimeout(() => { throw new Error('late') }, -5)",
        "sleep({ valueOf() { throw new Error('no number') } })",
        "sleep(NaN); sleep(-Infinity); randomSeed({})",
        "metric.add({ valueOf() { throw new Error('no number') } })",
        "metric.add(1, new Proxy({}, { get() { throw new Error('no tag') } }))",
        "require('k6/http')",
        "open('/etc/passwd')",
        "import('./nowhere.js')",
    ] {
        let script = format!(
            "import http from 'k6/http'; import {{ check, group, sleep, fail, randomSeed }} from 'k6'; import exec from 'k6/execution';
             import {{ parseHTML }} from 'k6/html'; import encoding from 'k6/encoding'; import crypto from 'k6/crypto'; import {{ Counter }} from 'k6/metrics';
             const metric = new Counter('my_counter'), base = 'http://{host}/json';
             export const options = {{ scenarios: {{
                bad: {{ executor: 'per-vu-iterations', vus: 1, iterations: 1, exec: 'bad', maxDuration: '20s', gracefulStop: '0s' }},
                good: {{ executor: 'per-vu-iterations', vus: 1, iterations: 5, exec: 'good' }} }} }};
             export function bad() {{ {bad} }}
             export function good() {{ sleep(0.005); }}"
        );
        let finished = run(&script);
        assert_eq!(
            finished.value("iterations", "count"),
            6.0,
            "{bad}: {:?}",
            finished.lines
        );
    }
}
