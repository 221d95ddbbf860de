//! `k6/http` against a server.

use crate::run::{check, run};
use crate::server;

#[test]
fn a_response_has_all_its_properties() {
    let host = server::start();
    check(
        &format!(
            "const r = http.get('http://{host}/json');
             say(r.status, r.status_text, r.proto, r.headers['Content-Type'], r.remote_ip, r.error_code, r.error);
             say(r.json('a.b.2.c'), r.json().ok, r.json('none') === undefined, r.body.length, r.timings.duration > 0, Math.abs(r.timings.duration - r.timings.sending - r.timings.waiting - r.timings.receiving) < 1e-6);
             say(Object.keys(r).length, JSON.parse(JSON.stringify(r)).request.method, r.url === 'http://{host}/json')"
        ),
        &["200 200 OK HTTP/1.1 application/json 127.0.0.1 0 ", "x true true 37 true true", "20 GET true"],
    );
}

#[test]
fn bodies_are_sent_as_k6_sends_them() {
    let host = server::start();
    check(
        &format!(
            "const sent = (body, params) => {{ const t = http.post('http://{host}/echo', body, params).body; return t.slice(t.indexOf('\\n\\n') + 2) }};
             say(sent('text')); say(sent({{ b: [1, 2], a: 'x y&', n: null }})); say(sent(new Uint8Array([104, 105]).buffer)); say(sent() === '');
             say(/Content-Type: application\\/x-www-form-urlencoded/.test(http.post('http://{host}/echo', {{ a: 1 }}).body));
             say(/User-Agent: Grafana k6\\//.test(http.get('http://{host}/echo').body));
             const m = http.post('http://{host}/echo', {{ f: http.file('data', 'n.txt', 'text/plain'), k: 'v' }}).body;
             say(/multipart\\/form-data; boundary=/.test(m), /filename=.n\\.txt/.test(m), /name=.k/.test(m))"
        ),
        &["text", "a=x+y%26&b=1&b=2&n=", "hi", "true", "true", "true", "true true true"],
    );
}

#[test]
fn redirects_cookies_and_codings_are_followed() {
    let host = server::start();
    check(
        &format!(
            "const r = http.get('http://{host}/redirect/3'); say(r.status, r.url === 'http://{host}/json');
             say(http.get('http://{host}/redirect/2', {{ redirects: 0 }}).status);
             const c = http.get('http://{host}/cookie'); say(c.cookies.k[0].value, c.headers['X-Multi'], c.cookies.k[0].expires);
             say(/Cookie: k=v; other=1/.test(http.get('http://{host}/echo').body));
             say(http.cookieJar().cookiesForURL('http://{host}/'));
             say(/Cookie: k=new/.test(http.get('http://{host}/echo', {{ cookies: {{ k: {{ value: 'new', replace: true }}, other: {{ value: '2', replace: true }} }} }}).body));
             say(http.get('http://{host}/gzip').body, http.get('http://{host}/chunked').body);
             say(http.head('http://{host}/json').body === '' || http.head('http://{host}/json').body)"
        ),
        &[
            "200 true",
            "302",
            "v a, b -6795364578871",
            "true",
            "{\"k\":[\"v\"],\"other\":[\"1\"]}",
            "true",
            "unpacked abcde",
            "true",
        ],
    );
}

#[test]
fn a_failed_request_is_a_response_with_status_0() {
    let host = server::start();
    check(
        &format!(
            "const r = http.get('http://127.0.0.1:1/'); say(r.status, r.error_code, r.error, r.body);
             const s = http.get('http://{host}/status/503'); say(s.status, s.error_code, s.error === '');
             const t = http.get('http://{host}/slow', {{ timeout: 50 }}); say(t.error_code, t.error);
             const b = http.get('http://{host}/broken'); say(b.status, b.error_code);
             const i = http.get('nonsense'); say(i.status, i.error_code);
             try {{ http.get('http://127.0.0.1:1/', {{ throw: true }}) }} catch (e) {{ say(e.name) }}"
        ),
        &["0 1212 dial: connection refused null", "503 1503 true", "1050 request timeout", "0 1000", "0 1000", "GoError"],
    );
}

#[test]
fn every_request_is_counted_with_its_tags() {
    let host = server::start();
    let finished = run(&format!(
        r#"import http from 'k6/http';
        export const options = {{ thresholds: {{
            'http_reqs{{name:mine}}': ['count==2'], 'http_reqs{{status:503}}': ['count==1'], 'http_reqs{{url:http://{host}/json}}': ['count==1'],
            'http_req_failed{{error_code:1503}}': ['rate==1'], 'http_reqs{{name:http://{host}/status/${{}}}}': ['count==1'],
            'http_reqs{{expected_response:true,method:GET,proto:HTTP/1.1,mine:1}}': ['count==2'], http_reqs: ['count==7'] }} }};
        export default function () {{
            http.get('http://{host}/json');
            http.get('http://{host}/a', {{ tags: {{ name: 'mine', mine: 1 }} }}); http.get('http://{host}/b', {{ tags: {{ name: 'mine', mine: '1' }} }});
            http.get('http://{host}/status/503');
            http.get(http.url`http://{host}/status/${{200}}`);
            http.get('http://{host}/redirect/1', {{ tags: {{ name: 'hop' }} }});
        }}"#
    ));
    assert_eq!(
        finished.outcome.exit,
        load_engine::Exit::Success,
        "{:?} {:?}",
        finished.outcome.failure,
        finished.lines
    );
    assert!(finished.value("data_sent", "count") > 100.0);
}

#[test]
fn many_requests_at_once_and_in_the_background() {
    let host = server::start();
    check(
        &format!(
            "const all = http.batch(['http://{host}/json', ['POST', 'http://{host}/echo', 'x'], {{ method: 'put', url: 'http://{host}/echo' }}]);
             say(all.map((r) => r.request.method).join());
             say(Object.keys(http.batch({{ a: 'http://{host}/a', b: 'http://{host}/b' }})).join());
             http.asyncRequest('GET', 'http://{host}/json').then((r) => say('then', r.status)); say('first')"
        ),
        &["GET,POST,PUT", "a,b", "first", "then 200"],
    );
}
