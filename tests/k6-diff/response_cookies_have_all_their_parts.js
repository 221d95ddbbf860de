import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  const r = http.get(`${__ENV.RAW}/multi`);
  console.log(JSON.stringify(r.cookies), JSON.stringify(Object.entries(r.headers).sort()));
}
