import http from 'k6/http';
export const options = { iterations: 1, maxRedirects: 2 };
export default function () {
  for (const redirects of [0, 1, 2, 3, 5, undefined]) {
    const r = http.get(`${__ENV.BASE}/redirect/3`, redirects === undefined ? {} : { redirects });
    console.log(redirects, r.status, r.error_code, r.headers.Location, r.url.replace(__ENV.BASE, ''));
  }
}
