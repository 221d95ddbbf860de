import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  http.get(`${__ENV.BASE}/cookie`);
  const sent = (params) => String(http.get(`${__ENV.BASE}/echo`, params).json('headers.cookie')).split('; ').sort().join('; ');
  console.log(sent({}));
  console.log(sent({ cookies: { taste: 'sour' } }));
  console.log(sent({ cookies: { taste: { value: 'sour', replace: true } } }));
  console.log(sent({ cookies: { other: 5 } }));
  console.log(sent({ jar: new http.CookieJar() }));
}
