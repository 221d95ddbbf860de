import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const code of [2, 8, 11, 13]) {
    const r = http.get(`${__ENV.FAULTS}/rst/${code}`);
    console.log(code, r.status, r.error_code, r.error);
  }
}
