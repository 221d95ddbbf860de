import { parseHTML } from 'k6/html';
export const options = { iterations: 1 };
const page = `<html lang="en"><head><title>T</title></head><body><div id="a" class="x y" data-foo="1" data-bar-baz='{"a":1}'>hello <b>bold</b><!-- c --></div>
<ul><li>1</li><li class="m">2</li><li>3</li></ul>
<form id="f" action="/go?x=1" method="post"><input name="t" value="v"><input type="checkbox" name="c" value="on" checked="checked"><input type="radio" name="r" value="r1">
<select name="s"><option value="1">one</option><option value="2" selected>two</option></select><textarea name="ta">tx</textarea><input type="submit" name="sub" value="Go"></form>
<a href="http://u:p@h.example:81/p/q?s=1#frag" rel="nofollow me" target="_b">link</a><table><tr><td>c</td></tr></table></body></html>`;
const show = (value) => {
  if (value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(show).join(' ')}]`;
  if (typeof value === 'object' && value.size) return `selection(${value.size()} ${value.text()})`;
  if (typeof value === 'object' && value.nodeName) return `element(${value.nodeName()})`;
  return typeof value === 'object' ? JSON.stringify(value) : `${typeof value}:${value}`;
};
const attempt = (name, f) => {
  try {
    console.log(name, show(f()));
  } catch (e) {
    console.log(name, String(e));
  }
};
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
