import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const kind = (r) => console.log(r.status, r.body === null ? 'null' : r.body instanceof ArrayBuffer ? `bytes ${r.body.byteLength}` : `${typeof r.body} ${r.body.length}`);
  for (const responseType of ['text', 'binary', 'none']) kind(http.get(`${__ENV.BASE}/json`, { responseType }));
  for (const path of ['no-content', 'not-modified']) kind(http.get(`${__ENV.RAW}/${path}`));
  kind(http.head(`${__ENV.BASE}/json`));
  kind(http.get(`${__ENV.BASE}/status/200`));
  const bad = http.get(`${__ENV.BASE}/json`, { responseType: 'blob' });
  console.log(bad.status, bad.error_code, bad.error);
}
