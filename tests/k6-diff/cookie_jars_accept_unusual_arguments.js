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
  const jar = http.cookieJar();
  const say = (what, f) => { try { console.log(what, JSON.stringify(f())) } catch (e) { console.log(what, 'threw', e.name, e.message) } };
  const url = `${__ENV.BASE}/`;
  say('set', () => jar.set(url, 'a', 'b'));
  say('set nothing', () => jar.set());
  say('set no name', () => jar.set(url));
  say('set no value', () => jar.set(url, 'n'));
  say('set null', () => jar.set(url, null, null));
  say('set number', () => jar.set(url, 5, 6));
  say('set empty', () => jar.set(url, '', 'x'));
  say('set odd url', () => jar.set('http://[::1', 'x', 'y'));
  say('set no url', () => jar.set('', 'x', 'y'));
  say('set path url', () => jar.set('/x', 'x', 'y'));
  say('set null options', () => jar.set(url, 'no', 'x', null));
  say('set text options', () => jar.set(url, 'to', 'x', 'abc'));
  say('set domain', () => jar.set(url, 'd', 'x', { domain: 'example.com' }));
  say('set odd expires', () => jar.set(url, 'e', 'x', { expires: 'tomorrow' }));
  say('set number expires', () => jar.set(url, 'f', 'x', { expires: 5 }));
  say('set expired', () => jar.set(url, 'g', 'x', { expires: 'Mon, 02 Jan 2006 15:04:05 MST' }));
  say('set max_age', () => jar.set(url, 'h', 'x', { max_age: 'abc' }));
  say('set max_age text', () => jar.set(url, 'i', 'x', { max_age: '60' }));
  say('set max_age negative', () => jar.set(url, 'a', 'x', { max_age: -1 }));
  say('set secure', () => jar.set(url, 's', 'x', { secure: 'yes' }));
  say('set http_only', () => jar.set(url, 'ho', 'x', { http_only: true, path: '/' }));
  say('set path', () => jar.set(url, 'p', 'x', { path: '/other' }));
  say('set value', () => jar.set(url, 'v', 'a b;c"d'));
  say('all', () => Object.entries(jar.cookiesForURL(url)).sort());
  say('secure', () => Object.entries(jar.cookiesForURL(url.replace('http', 'https'))).sort());
  say('other', () => Object.entries(jar.cookiesForURL(url + 'other')).sort());
  say('of nothing', () => jar.cookiesForURL());
  say('of null', () => jar.cookiesForURL(null));
  say('delete nothing', () => jar.delete());
  say('delete unknown', () => jar.delete(url, 'unknown'));
  say('delete', () => jar.delete(url, 'ho'));
  say('clear nothing', () => jar.clear());
  say('clear', () => jar.clear(url));
  say('after', () => jar.cookiesForURL(url));
}
