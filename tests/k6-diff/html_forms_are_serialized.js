import { parseHTML } from 'k6/html';
import { attempt, page } from './modules/html_page.js';
export const options = { iterations: 1 };
export default function () {
  const doc = parseHTML(page);
  attempt('serialize', () => doc.find('form').serialize());
  attempt('serializeArray', () => JSON.stringify(doc.find('form').serializeArray()));
  attempt('serializeObject', () => Object.entries(doc.find('form').serializeObject()).sort().join('|'));
}
