import { parseHTML } from 'k6/html';
import { attempt, page } from './modules/html_page.js';
export const options = { iterations: 1 };
export default function () {
  const doc = parseHTML(page);
  const a = doc.find('#a');
  attempt('text', () => [a.text(), a.html(), doc.find('#zz').html()]);
  attempt('attr', () => [a.attr('class'), a.attr('no'), a.attr('no', 'default'), doc.find('zz').attr('x')]);
  attempt('data', () => [a.data('foo'), a.data('barBaz'), a.data('bar-baz'), a.data(), a.data('q')]);
  attempt('val', () => ['input[name=t]', 'select', 'textarea', 'div', 'zz'].map((s) => doc.find(s).val()));
  attempt('index', () => [doc.find('.m').index(), doc.find('li').index(doc.find('.m')), doc.find('.m').index('li'), doc.find('zz').index()]);
  attempt('json', () => JSON.stringify(doc.find('b')));
}
