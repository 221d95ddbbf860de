import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const jar = http.cookieJar();
  const show = (url) => console.log(url, Object.entries(jar.cookiesForURL(url)).sort().join(" "));
  jar.set('http://a.test/x/y', 'plain', 'p');
  jar.set('http://a.test/x/y', 'path', 'q', { path: '/z' });
  jar.set('http://a.test/', 'domain', 'd', { domain: 'a.test' });
  jar.set('http://a.test/', 'secure', 's', { secure: true });
  jar.set('http://a.test/', 'old', 'o', { expires: 'Mon, 02 Jan 2006 15:04:05 GMT' });
  jar.set('http://a.test/', 'gone', 'g', { max_age: -1 });
  jar.set('http://a.test/', 'stays', 'g', { max_age: 100, http_only: true });
  for (const url of ['http://a.test/', 'http://a.test/x/', 'http://a.test/z/1', 'http://sub.a.test/', 'https://a.test/', 'http://b.test/']) show(url);
  jar.delete('http://a.test/', 'domain');
  show('http://sub.a.test/');
  jar.clear('http://a.test/');
  show('http://a.test/');
}
