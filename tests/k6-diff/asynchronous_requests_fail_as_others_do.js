import http from 'k6/http';
export const options = { iterations: 1 };
export default async function () {
  for (const [name, url, params] of [['refused', 'http://127.0.0.1:1/', {}], ['no url', 'http://[::1', {}], ['status', `${__ENV.BASE}/status/500`, {}], ['odd tags', `${__ENV.BASE}/json`, { tags: { a: {} } }], ['odd timeout', `${__ENV.BASE}/json`, { timeout: 'x' }], ['thrown', 'http://127.0.0.1:1/', { throw: true }]]) {
    try {
      const r = await http.asyncRequest('GET', url, null, params);
      console.log(name, r.status, r.error_code, r.error);
    } catch (e) {
      console.log(name, 'rejected');
    }
  }
}
