//! Modules and globals of k6 2, for which no real k6 is available for comparison.

use load_engine::Exit;

use crate::run::{load_error, run};

/// Runs `body` in an iteration; `check(name, value)` reports failures.
#[track_caller]
fn check(imports: &str, body: &str) {
    let script = format!(
        "{imports}
        const expect = (what, is) => {{ if (!is) console.error(what); }};
        const fails = async (f) => {{ try {{ await f(); return 'nothing'; }} catch (e) {{ return String(e); }} }};
        const hex = (data) => Array.from(new Uint8Array(data)).map((b) => b.toString(16).padStart(2, '0')).join('');
        export default async function () {{ {body} }}"
    );
    assert_eq!(run(&script).lines, Vec::<String>::new());
}

#[test]
fn text_is_encoded_and_decoded() {
    check(
        "",
        r#"
        const encoder = new TextEncoder();
        expect('encoding', encoder.encoding === 'utf-8');
        expect('encode', hex(encoder.encode('aä€😀')) === '61c3a4e282acf09f9880');
        expect('nothing', encoder.encode().length === 0 && encoder.encode(null).length === 4);
        expect('surrogate', hex(encoder.encode('a\ud800b')) === '61efbfbd62');
        const into = new Uint8Array(6);
        const { read, written } = encoder.encodeInto('a😀€', into);
        expect('into', read === 3 && written === 5 && hex(into) === '61f09f988000');
        expect('no array', (await fails(() => encoder.encodeInto('a', [])))?.startsWith('TypeError'));
        const decoder = new TextDecoder();
        expect('decode', decoder.decode(encoder.encode('aä€😀')) === 'aä€😀' && decoder.decode() === '');
        expect('view', decoder.decode(new Uint8Array([97, 98, 99]).subarray(1)) === 'bc');
        expect('flags', decoder.encoding === 'utf-8' && !decoder.fatal && !decoder.ignoreBOM);
        expect('wrong bytes', decoder.decode(new Uint8Array([97, 255, 98])) === 'a\ufffdb');
        expect('mark', decoder.decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])) === 'a');
        const whole = new TextDecoder('utf8', { ignoreBOM: true });
        expect('kept mark', whole.decode(new Uint8Array([0xef, 0xbb, 0xbf, 97])) === '\ufeffa');
        const fatal = new TextDecoder('UTF-8', { fatal: true });
        expect('fatal', (await fails(() => fatal.decode(new Uint8Array([255])))).startsWith('TypeError'));
        expect('after fatal', fatal.decode(new Uint8Array([97])) === 'a');
        const pieces = new TextDecoder();
        const bytes = encoder.encode('€x');
        expect('stream', pieces.decode(bytes.subarray(0, 2), { stream: true }) === '' && pieces.decode(bytes.subarray(2)) === '€x');
        expect('utf-16', new TextDecoder('utf-16le').decode(new Uint16Array([104, 105])) === 'hi');
        expect('label', (await fails(() => new TextDecoder('bogus'))).startsWith('RangeError'));
        expect('no decoder', (await fails(() => TextDecoder.prototype.decode.call({}))).startsWith('TypeError'));
        "#,
    );
}

#[test]
fn keys_are_derived_from_passwords() {
    // RFC 6070 and, for SHA-256, RFC 7914.
    check(
        "",
        r#"
        const { subtle } = crypto;
        const bytes = (text) => new TextEncoder().encode(text);
        const load = (text, usages = ['deriveBits', 'deriveKey']) => subtle.importKey('raw', bytes(text), 'PBKDF2', false, usages);
        const base = await load('password');
        expect('key', base.type === 'secret' && base.algorithm.name === 'PBKDF2' && !base.extractable);
        const derive = (parameters, length, key = base) => subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-1', salt: bytes('salt'), iterations: 2, ...parameters }, key, length);
        expect('6070', hex(await derive({}, 160)) === 'ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957');
        const scrypt = await derive({ hash: 'SHA-256', iterations: 1 }, 512, await load('passwd'));
        expect('7914', hex(scrypt).startsWith('55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc49ca9cccf179b645991664b39d77ef31'));
        const key = await subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt: bytes('salt'), iterations: 3 }, base, { name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
        const raw = await subtle.exportKey('raw', key);
        expect('derived key', hex(raw) === hex(await derive({ hash: 'SHA-256', iterations: 3 }, 256)));
        const iv = new Uint8Array(12);
        const sealed = await subtle.encrypt({ name: 'AES-GCM', iv }, key, bytes('text'));
        expect('it works', hex(await subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed)) === hex(bytes('text')));
        const signer = await subtle.deriveKey({ name: 'PBKDF2', hash: 'SHA-256', salt: bytes('s'), iterations: 1 }, base, { name: 'HMAC', hash: 'SHA-256' }, true, ['sign']);
        expect('hmac', signer.algorithm.length === 512 && (await subtle.sign('HMAC', signer, iv)).byteLength === 32);
        expect('iterations', (await fails(() => derive({ iterations: 0 }, 160))).startsWith('OperationError'));
        expect('length', (await fails(() => derive({}, 13))).startsWith('OperationError'));
        expect('no salt', (await fails(() => derive({ salt: undefined }, 160))).startsWith('SyntaxError'));
        expect('hash', (await fails(() => derive({ hash: 'MD5' }, 160))).startsWith('NotSupportedError'));
        const idle = await load('x', ['deriveKey']);
        expect('usage', (await fails(() => derive({}, 160, idle))).startsWith('InvalidAccessError'));
        expect('import', (await fails(() => load('x', ['sign']))).startsWith('SyntaxError'));
        "#,
    );
}

#[test]
fn writable_streams_write_one_chunk_at_a_time() {
    check(
        "import { WritableStream, WritableStreamDefaultWriter } from 'k6/experimental/streams';",
        r#"
        const seen = [];
        const slow = (chunk) => new Promise((resolve) => setTimeout(() => { seen.push(chunk); resolve(); }, 1));
        const stream = new WritableStream({ write: slow, close() { seen.push('close'); } }, { highWaterMark: 2 });
        const writer = stream.getWriter();
        expect('locked', stream.locked && writer instanceof WritableStreamDefaultWriter && writer.desiredSize === 2);
        writer.write(1);
        writer.write(2);
        expect('full', writer.desiredSize === 0);
        await writer.ready;
        expect('room', writer.desiredSize === 1 && seen.join() === '1');
        await writer.close();
        await writer.closed;
        expect('all', seen.join() === '1,2,close');
        expect('after', (await fails(() => writer.write(3))).startsWith('TypeError'));
        const broken = new WritableStream({ write() { throw new Error('in write'); } }).getWriter();
        expect('error', (await fails(() => broken.write(1))) === 'Error: in write');
        expect('closed', (await fails(() => broken.closed)) === 'Error: in write');
        const why = [];
        const aborted = new WritableStream({ abort(reason) { why.push(reason); } });
        await aborted.abort('because');
        expect('abort', why.join() === 'because' && (await fails(() => aborted.getWriter().closed)) === 'because');
        "#,
    );
}

#[test]
fn a_missing_module_reports_the_reason_before_anything_runs() {
    for (name, why) in [
        ("k6/experimental/browser", "Run this script with k6"),
        ("k6/experimental/grpc", "graduated"),
        ("k6/experimental/timers", "globally available"),
        ("k6/experimental/tracing", "removed"),
        ("k6/experimental/webcrypto", "globally available"),
        ("k6/x/sql", "xk6 build"),
        ("k6/nonsense", "unknown module"),
    ] {
        let error = load_error(&format!(
            "import x from '{name}'; export default function () {{}}"
        ));
        assert!(
            error.contains(name) && error.contains(why),
            "{name}: {error}"
        );
    }
}

#[test]
fn the_browser_module_can_be_imported_but_its_use_ends_the_test() {
    for (call, named) in [
        ("browser.newPage()", "browser.newPage"),
        ("browser.isConnected()", "browser.isConnected"),
        (
            "chromium.connectOverCDP('ws://x')",
            "chromium.connectOverCDP",
        ),
    ] {
        let finished = run(&format!(
            "import {{ browser, chromium, devices }} from 'k6/browser';
             export const options = {{ iterations: 3 }};
             export default async function () {{
                 console.log(typeof browser, typeof devices['iPhone X']);
                 try {{ await {call}; }} catch (e) {{ console.log(e.message); }}
             }}"
        ));
        assert_eq!(finished.said(), ["object undefined"]);
        assert_eq!(finished.outcome.exit, Exit::ScriptAborted);
        let why = finished.outcome.failure.expect("an error").message;
        let missing = format!("{named} needs a browser, which sparring does not drive: run this");
        assert!(why.starts_with(&missing), "{why}");
    }
    // Outside an iteration it is an ordinary exception.
    let finished = run("import { browser } from 'k6/browser';
         export function setup() { try { browser.newPage(); } catch (e) { return e.message.slice(0, 15); } }
         export default function (data) { console.log(data); }");
    assert_eq!(finished.said(), ["browser.newPage"]);
}

#[test]
fn names_that_modules_lack_are_null_or_undefined() {
    check_script(
        "import http, { sleep } from 'k6/http';
         import { nothing } from 'k6';
         import none, { other } from 'k6/metrics';
         export default function () { console.log(typeof http.get, sleep, nothing, typeof none, other); }",
        &["function undefined null object null"],
    );
}

fn check_script(script: &str, expected: &[&str]) {
    let finished = run(script);
    assert_eq!(finished.said(), expected, "{script}: {:?}", finished.lines);
}

#[test]
fn deprecation_warnings_are_logged_once() {
    let finished = run("import { WebSocket } from 'k6/experimental/websockets';
        import http from 'k6/http';
        export const options = { vus: 3, iterations: 6 };
        export default function () {
            http.get('not-a-url', null, {});
            http.head('not-a-url', null, {});
        }");
    let count = |part: &str| {
        finished
            .lines
            .iter()
            .filter(|line| line.contains(part))
            .count()
    };
    // Logged when the script was loaded.
    assert_eq!(count("k6/experimental/websockets is deprecated"), 0);
    assert_eq!(count("http.get takes two arguments"), 1);
    assert_eq!(count("http.head takes two arguments"), 1);
}
