import { parseHTML } from 'k6/html';
import { attempt, page } from './modules/html_page.js';
export const options = { iterations: 1 };
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
