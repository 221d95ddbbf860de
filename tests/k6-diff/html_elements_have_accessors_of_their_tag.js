import { parseHTML } from 'k6/html';
import { attempt, page } from './modules/html_page.js';
export const options = { iterations: 1 };
export default function () {
  const doc = parseHTML(page);
  const read = (selector, names) => {
    const element = doc.find(selector).get(0);
    for (const name of names.split(' ')) attempt(`${selector}.${name}`, () => element[name]());
  };
  read('a', 'href hash host hostname username password origin pathname port protocol search text relList rel target download type');
  read('form', 'length method name target action enctype encoding acceptCharset autocomplete noValidate');
  read('input[type=checkbox]', 'checked defaultChecked type name value disabled form formAction formMethod labels maxLength size list accept required');
  read('select', 'options selectedIndex selectedOptions length type value multiple size form labels name');
  read('table', 'rows caption tBodies tHead tFoot');
}
