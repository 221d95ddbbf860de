import { Counter } from 'k6/metrics';
for (const name of ['a', 'has space', '1x', 'ok_name', 'x'.repeat(200)]) {
  try { new Counter(name); console.log('ok'); } catch (e) { console.log(e.message.length > 0); }
}
export const options = { iterations: 1 };
export default function () {}
