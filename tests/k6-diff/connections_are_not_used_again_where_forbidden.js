import http from 'k6/http';
export const options = { iterations: 2, noConnectionReuse: true };
export default function () {
  console.log(http.get(`${__ENV.RAW}/number`).body, http.get(`${__ENV.RAW}/number`).body);
  console.log(http.get(`${__ENV.RAW}/echo`).body.includes('Connection: close'));
}
