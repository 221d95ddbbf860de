import http from 'k6/http';
export const options = { iterations: 2, noVUConnectionReuse: true };
export default function () {
  console.log(http.get(`${__ENV.RAW}/number`).body, http.get(`${__ENV.RAW}/number`).body);
}
