import http from 'k6/http';
export const options = { iterations: 1, rps: 10 };
export default function () {
  const begin = Date.now();
  for (let i = 0; i < 6; i++) http.get(`${__ENV.BASE}/json`);
  const took = Date.now() - begin;
  console.log(took > 450 && took < 3000);
}
