import http, { get, post } from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const u = `${__ENV.BASE}/echo`;
  const show = (r) => console.log(r.request.method, r.body ? r.json('method') : r.body, r.request.body);
  show(get(u)); show(post(u, 'b')); show(http.put(u, 'b')); show(http.patch(u, 'b')); show(http.del(u, 'b')); show(http.options(u, 'b')); show(http.head(u)); show(http.request('PROPFIND', u, 'b')); show(http.request('get', u));
  console.log(Object.keys(http).sort().join());
  console.log(http.TLS_1_2, http.OCSP_STATUS_GOOD, http.OCSP_REASON_REMOVE_FROM_CRL);
}
