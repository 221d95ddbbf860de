import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.post(`${__ENV.BASE}/echo`, { file: http.file('content', 'a "b".txt', 'text/x') });
  const boundary = r.json('headers.content-type').split('boundary=')[1];
  console.log(r.json('body').split(boundary).join('B'), boundary.length);
  const plain = http.file(new Uint8Array([65, 66]).buffer);
  console.log(plain.content_type, /^\d+$/.test(plain.filename), plain.data.byteLength, JSON.stringify(Object.keys(plain)));
  for (const bad of [5, {}, null]) { try { http.file(bad); console.log('fine'); } catch (e) { console.log(e.name, e.message); } }
}
