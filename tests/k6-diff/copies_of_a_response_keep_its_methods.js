import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  console.log(Object.keys(r).sort().join());
  const names = [];
  for (const name in r) names.push(name);
  console.log(names.sort().join());
  const copy = { ...r, extra: 1 };
  console.log(copy.json('name'), copy.extra, typeof copy.html, 'json' in r, r.hasOwnProperty('json'), Object.assign({}, r).status);
  const { status, json } = r;
  console.log(status, typeof json);
  console.log(Object.keys(JSON.parse(JSON.stringify(r))).sort().join());
}
