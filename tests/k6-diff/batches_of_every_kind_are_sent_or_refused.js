import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const url = `${__ENV.BASE}/json`;
  const tell = (what, requests) => {
    try {
      const r = http.batch(requests);
      const all = Array.isArray(r) ? r : Object.entries(r).sort().map(([k, v]) => v && { k, status: v.status, error_code: v.error_code, error: v.error });
      console.log(what, Array.isArray(r), JSON.stringify(all.map((one) => one && [one.k, one.status, one.error_code, one.error])));
    } catch (e) {
      console.log(what, 'threw', e.name, e.message);
    }
  };
  for (const [name, requests] of [['null', null], ['undefined', undefined], ['number', 5], ['text', url], ['true', true], ['empty list', []], ['empty object', {}], ['null inside', [null]], ['undefined inside', [undefined]], ['number inside', [5]], ['list in list', [[]]], ['method only', [['GET']]], ['lower method', [['get', url]]], ['number url', [['GET', 5]]], ['null body', [['POST', url, null]]], ['number body', [['POST', url, 5]]], ['null params', [['GET', url, null, null]]], ['text params', [['GET', url, null, 'x']]], ['bad timeout', [['GET', url, null, { timeout: 'abc' }]]], ['bad url', [['GET', 'http://[::1']]], ['bad tags', [['GET', url, null, { tags: { a: {} } }]]],
    ['empty object inside', [{}]], ['object', [{ method: 'GET', url }]], ['object without method', [{ url }]], ['object without url', [{ method: 'GET' }]], ['object with odd method', [{ method: 5, url }]], ['object with params', [{ method: 'get', url, params: { tags: { a: 'b' } } }]], ['object with odd params', [{ method: 'get', url, params: 5 }]], ['named', { one: url, two: ['GET', url], three: { method: 'GET', url } }], ['named null', { one: null }], ['function', () => 1], ['list and bad', [url, 'http://[::1', url]], ['two bad', ['http://[::1', 'http://[::2']], ['more arguments', [['GET', url, null, {}, 1, 2]]]])
    tell(name, requests);
  try { http.batch() } catch (e) { console.log(e.name, e.message) }
}
