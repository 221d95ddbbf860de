import http from 'k6/http';

export const options = { iterations: 1 };

export function setup() {
  return { one: http.get(`${__ENV.BASE}/cookie`), several: http.batch({ a: `${__ENV.BASE}/json` }), bytes: http.get(`${__ENV.BASE}/json`, { responseType: 'binary' }), part: http.file('x', 'n', 't'), jar: http.cookieJar() };
}

export default function (data) {
  const { one, several, bytes } = data;
  console.log(Object.keys(one).sort(), Object.keys(one.timings).sort(), one.status, one.body, one.headers['Content-Length']);
  console.log(JSON.stringify(Object.entries(one.cookies.taste[0]).sort()));
  console.log(several.a.body, typeof one.json, JSON.stringify(bytes.body), JSON.stringify(data.jar));
  console.log(JSON.stringify(Object.entries(data.part).sort()));
}
