import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const address of ['http://127.0.0.1:1/', 'https://127.0.0.1:1/', 'http://localhost:1/', 'http://[::1]:1/']) {
    const r = http.get(address);
    console.log(r.status, r.error_code, r.error, r.body, JSON.stringify(r.headers), r.url);
  }
}
