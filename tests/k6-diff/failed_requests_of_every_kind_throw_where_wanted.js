import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const [name, url, params] of [['refused', 'http://127.0.0.1:1/', {}], ['timeout', `${__ENV.BASE}/delay/5000`, { timeout: 50 }], ['no url', 'http://[::1', {}], ['no scheme', 'x', {}], ['status', `${__ENV.BASE}/status/500`, {}], ['unpacking', `${__ENV.RAW}/not-gzip`, {}], ['authority', `${__ENV.UNKNOWN}/json`, {}]]) {
    try {
      const r = http.get(url, { ...params, throw: true });
      console.log(name, r.status, r.error_code);
    } catch (e) {
      console.log(name, e.name, e.message);
    }
  }
}
