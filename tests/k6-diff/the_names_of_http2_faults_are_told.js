import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const code of [0, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12, 13]) {
    const r = http.get(`${__ENV.FAULTS}/rst/${code}`, { tags: { name: 'rst' } });
    console.log(code, r.status, r.error_code, r.error);
  }
}
