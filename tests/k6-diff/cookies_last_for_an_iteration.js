import http from 'k6/http';
export const options = { iterations: 2 };
export default function () {
  console.log(JSON.stringify(http.get(`${__ENV.BASE}/echo`).json('headers.cookie') || ''));
  http.get(`${__ENV.BASE}/cookie`);
  console.log(http.get(`${__ENV.BASE}/echo`).json('headers.cookie'));
}
