import { parseHTML } from 'k6/html';
import { attempt, page } from './modules/html_page.js';
export const options = { iterations: 1 };
export default function () {
  const doc = parseHTML(page);
  const li = () => doc.find('li');
  attempt('find', () => [doc.find(doc.find('b')), doc.find(doc.find('b').get(0)), doc.find('li[')]);
  attempt('filter', () => [li().filter('.m'), li().filter(doc.find('.m')), li().filter((i) => i > 0)]);
  attempt('not', () => [li().not('.m'), li().not((i) => i === 0), li().not(doc.find('.m'))]);
  attempt('is', () => [li().is('.m'), li().is((i) => i === 7), li().is(doc.find('b'))]);
  attempt('has', () => [doc.find('div,ul').has('b'), doc.find('div').has(doc.find('b'))]);
  attempt('number', () => doc.find(5));
  attempt('nothing', () => doc.find());
}
