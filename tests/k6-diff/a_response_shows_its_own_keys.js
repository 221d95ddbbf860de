import http from 'k6/http';

export const options = { iterations: 1 };

function keys(object) {
  const all = [];
  for (const key in object) all.push(`${key} ${object[key] === null ? 'null' : typeof object[key]}`);
  return all.join();
}

export default function () {
  const r = http.get(`${__ENV.BASE}/json`);
  console.log(Object.keys(r).join());
  console.log(keys(r));
  for (const part of ['timings', 'ocsp', 'request', 'cookies', 'headers']) console.log(part, part === 'headers' ? Object.keys(r.headers).sort().join() : keys(r[part]));
  console.log('foo' in r, Object.isExtensible(r), Object.prototype.toString.call(r));
  const bad = http.get('http://a b/');
  console.log(keys(bad));
  console.log(JSON.stringify(bad));
}
