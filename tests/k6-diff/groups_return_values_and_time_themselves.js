import { group } from 'k6';
export const options = { iterations: 2 };
export default function () {
  const inner = group('outer', () => group('inner', () => 42));
  console.log(inner);
  try { group('throws', () => { throw new Error('inside'); }); } catch (e) { console.log(e.message); }
}
