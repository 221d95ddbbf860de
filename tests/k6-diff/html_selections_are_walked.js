import { parseHTML } from 'k6/html';
import { attempt, page } from './modules/html_page.js';
export const options = { iterations: 1 };
export default function () {
  const doc = parseHTML(page);
  const li = () => doc.find('li');
  attempt('eq', () => [li().eq(1), li().eq(-1), li().first(), li().last(), li().eq()]);
  attempt('slice', () => [li().slice(1), li().slice(0, 2), li().slice()]);
  attempt('children', () => [doc.find('ul').children(), doc.find('ul').children('.m'), doc.find('#a').contents()]);
  attempt('siblings', () => [doc.find('.m').siblings(), doc.find('.m').siblings('.q')]);
  attempt('next', () => [doc.find('.m').next(), li().first().nextAll(), li().first().nextUntil('.m'), doc.find('.m').next('.z')]);
  attempt('prev', () => [doc.find('.m').prev(), li().last().prevAll(), li().last().prevUntil('.m')]);
  attempt('parent', () => [doc.find('b').parent(), doc.find('b').parents(), doc.find('b').parentsUntil('body'), doc.find('b').parents('div')]);
  attempt('end', () => [li().find('zz').end(), doc.end()]);
  attempt('add', () => [doc.find('b').add('li'), doc.find('b').add(li())]);
  attempt('closest', () => doc.find('b').closest('div'));
}
