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
  const e = doc.find('#a').get(0);
  const names = 'id className classList lang innerHTML textContent nodeName nodeType nodeValue firstChild lastChild firstElementChild lastElementChild parentNode parentElement childNodes children childElementCount ownerDocument namespaceURI hasAttributes hasChildNodes toString selection';
  for (const name of names.split(' ')) attempt(name, () => e[name]());
  attempt('attribute', () => [e.getAttribute('class'), e.getAttribute('no'), e.hasAttribute('class'), e.hasAttribute('no'), e.getAttributeNode('no')]);
  attempt('node', () => [e.getAttributeNode('class').name, e.getAttributeNode('class').value, Object.keys(e.attributes()).sort().join()]);
  attempt('search', () => [e.getElementsByTagName('b'), e.querySelector('b'), e.querySelector('zz'), e.querySelectorAll('b')]);
  const body = doc.find('body').get(0);
  attempt('classes', () => [body.getElementsByClassName('x'), body.getElementsByClassName('x y')]);
  const b = doc.find('b').get(0);
  attempt('compare', () => [e.isEqualNode(e), e.isSameNode(doc.find('#a').get(0)), e.isEqualNode(b), e.contains(b), b.contains(e), e.matches('.x')]);
}
