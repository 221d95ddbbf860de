import { parseHTML } from 'k6/html';
import { attempt, page } from './modules/html_page.js';
export const options = { iterations: 1 };
export default function () {
  const doc = parseHTML(page);
  const li = doc.find('li');
  const seen = [];
  attempt('each', () => [li.each((i, e) => { seen.push(`${i}:${e.textContent()}`); return false; }), seen.join()]);
  attempt('map', () => li.map((i, e) => i + e.text()));
  attempt('toArray', () => li.toArray());
  attempt('get', () => [li.get(0), li.get(9), li.get(-1), li.get()]);
  attempt('no function', () => li.map(5));
  attempt('no function', () => li.each('x'));
}
