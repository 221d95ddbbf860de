import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const body of [5, 1.5, true, [1, 2], () => 1]) {
    const r = http.post(`${__ENV.BASE}/echo`, body);
    console.log(r.status, r.error_code, r.error);
  }
  for (const body of [new Uint8Array([104, 105]), new Uint8Array([104, 105]).buffer, undefined, '', {}]) {
    const r = http.post(`${__ENV.BASE}/echo`, body);
    console.log(r.status, r.json('body'), r.json('headers.content-type'), r.json('headers.content-length'));
  }
}
