import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const url of ['http://127.0.0.1:1/', 'http://[::1', '//127.0.0.1:1/x', '?a=b', '']) {
    const r = http.get(`${__ENV.BASE}/to?code=302&url=${encodeURIComponent(url)}`, { tags: { name: 'to' } });
    console.log(JSON.stringify(url), r.status, r.error_code, r.error.replace(/:\d+/g, ':N'), r.url.replace(__ENV.BASE, ''));
  }
}
