import http from 'k6/http';
import { check, group } from 'k6';
import { Counter } from 'k6/metrics';
const made = new Counter('made');
export const options = { iterations: 1 };
export async function setup() {
  made.add(2);
  const r = await http.asyncRequest('GET', `${__ENV.BASE}/json`);
  check(r, { fine: (r) => r.status === 200 });
  group('inside', () => made.add(3));
  return r.status;
}
export default function (status) { console.log(status); }
