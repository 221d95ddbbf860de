import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  for (const path of ['chunked', 'trailers', 'trailer-alone', 'until-close', 'old', 'continue', 'no-reason']) {
    const r = http.get(`${__ENV.RAW}/${path}`);
    console.log(path, r.status, `[${r.status_text}]`, r.proto, r.body, JSON.stringify(Object.entries(r.headers).sort()));
  }
}
