import http from 'k6/http';
export default function () {
  const url = `${__ENV.BASE}/echo`;
  const set = (c) => { const r = http.get(`${__ENV.BASE}/set?cookie=${encodeURIComponent(c)}`); return JSON.stringify(Object.entries(r.cookies).sort().map(([k, v]) => [k, v.map((x) => ({ ...x, expires: x.expires > 0 ? 'set' : x.expires }))])); };
  for (const c of ['a=b', 'a="quoted"', 'a=b; Max-Age=0', 'a=b; Max-Age=-1', 'a=b; Max-Age=x', 'a=b; Expires=Wed, 21 Oct 2099 07:28:00 GMT', 'a=b; Expires=nonsense', 'a=b; Domain=other.example', 'a=b; Path=/other', 'a=b; Secure', 'a=b; HttpOnly; SameSite=Lax', 'a', '=b', 'a=', 'a=b=c', 'a=b; Path=', ' a = b ', 'a b=c', 'a=b c', 'a=b,c', 'ä=ö', 'a=b; Domain=127.0.0.1', 'a=b; domain=.127.0.0.1', 'x=1;y=2', '__Host-a=b', 'a=b; Partitioned', 'a=b; SameSite=None; Secure', 'a=b; Expires=Wed, 21-Oct-99 07:28:00 GMT', 'a=b; max-age=99999999999']) console.log(c, '=>', set(c), http.get(url).json().headers.cookie);
  const jar = http.cookieJar();
  console.log(JSON.stringify(jar.cookiesForURL(url)));
  jar.clear(url); console.log(JSON.stringify(jar.cookiesForURL(url)));
  for (const [n, v, o] of [['p', 'q'], ['n', 5], ['s', 'a b'], ['o', 'x', { path: '/echo' }], ['d', 'x', { domain: 'other' }], ['e', 'x', { expires: 'Wed, 21 Oct 2099 07:28:00 GMT' }], ['m', 'x', { max_age: 5 }], ['se', 'x', { secure: true }], ['', 'x'], ['u', undefined], ['nu', null], ['ob', {}]]) { try { console.log(n, jar.set(url, n, v, o), http.get(url).json().headers.cookie); } catch (e) { console.log(n, String(e).split('\n')[0]); } }
}
