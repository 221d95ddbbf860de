import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const url = http.url`${__ENV.BASE}/status/${200}?a=${'b'}`;
  console.log(url.name.replace(__ENV.BASE, ''), url.url === `${__ENV.BASE}/status/200?a=b`, url.clean_url === url.url);
  const secret = http.url`http://user:pass@host/${1}`;
  console.log(secret.name, secret.url, secret.clean_url);
  console.log(http.get(url).status, http.batch([url])[0].status);
}
