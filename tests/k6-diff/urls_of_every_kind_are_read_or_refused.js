import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const tell = (what, f) => {
    try {
      const r = f();
      console.log(what, r && r.status, r && r.error_code, r && r.error);
    } catch (e) {
      console.log(what, 'threw', e.name, e.message);
    }
  };
  for (const url of ['http:///x', 'ftp://127.0.0.1/', 'ws://127.0.0.1/', 'file:///etc/passwd', 'x', '/x', '//x', 'http:/x', 'http:x', 'http://[::1', 'http://[::1]:abc/', 'http://a b/', 'http://127.0.0.1:99999/', 'http://127.0.0.1:-1/', 'http://127.0.0.1:0/', 'http://%zz/', 'http://h/%zz', 'http://h:1:2/', 'HTTP://[::1', 'mailto:a@b', 'http://\u0000/', 'http://127.0.0.1:1/\n', ' http://127.0.0.1:1/', 'x:y', 'a/b:c'])
    tell(JSON.stringify(url), () => http.get(url));
  for (const url of [null, undefined, 5, true, {}, [], [1, 'a'], { b: 1, a: [true, null] }, Symbol('http:x'), new String('x')])
    tell(`a ${typeof url} ${url === null}`, () => http.get(url));
  tell('none', () => http.get());
}
