import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const path of ['no-location', 'bad-location']) {
    const r = http.get(`${__ENV.RAW}/${path}`);
    console.log(path, r.status, r.error_code);
  }
}
