import http from 'k6/http';
export const options = { iterations: 1 };
export default function () {
  // So that the sums of the summary have the same units.
  http.post(`${__ENV.BASE}/back`, 'x'.repeat(5000));
  const first = http.get(`${__ENV.FAULTS}/number`).body;
  const all = http.batch([1, 2, 3, 4, 5].map(() => `${__ENV.FAULTS}/slow`));
  console.log(all.every((r) => r.status === 200 && r.body === first));
}
