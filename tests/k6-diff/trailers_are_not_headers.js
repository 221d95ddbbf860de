import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const base of [__ENV.TLS, __ENV.BASE]) {
    const { proto, headers } = http.get(`${base}/trailer`);
    console.log(proto, headers.Trailer, Object.keys(headers).includes('Trailer'));
  }
}
