import http from 'k6/http';
import crypto from 'k6/crypto';
import ws from 'k6/ws';
import { parseHTML } from 'k6/html';
import { Trend } from 'k6/metrics';

export const options = { iterations: 1 };

const trend = new Trend('tt');
const say = (what, f) => { try { console.log(what, JSON.stringify(f())); } catch (e) { console.log(what, 'threw', String(e)); } };

export default function () {
  say('add', () => [1, 2].forEach(trend.add));
  say('add with tags', () => { const { add } = trend; return add(3, { a: 'b' }); });
  say('other this', () => trend.add.call({}, 4));
  const response = http.get(`${__ENV.BASE}/json`);
  say('json', () => { const { json } = response; return json('name'); });
  say('html', () => { const { html } = response; return html().text(); });
  say('copy', () => { const copy = { ...response, body: '[]' }; return copy.json('name'); });
  const page = http.get(`${__ENV.BASE}/page`);
  say('submitForm', () => { const { submitForm } = page; return submitForm({ formSelector: '#get' }).status; });
  say('clickLink', () => { const { clickLink } = page; return clickLink().status; });
  const jar = http.cookieJar();
  say('jar', () => { const { set, cookiesForURL } = jar; set('http://x', 'a', 'b'); return cookiesForURL('http://x'); });
  const selection = parseHTML('<p>a</p><p>b</p>');
  say('selection', () => { const { find } = selection; return find('p').size(); });
  say('element', () => { const { textContent } = selection.find('p').get(0); return textContent(); });
  say('hash', () => { const { update, digest } = crypto.createHash('md5'); update('a'); return digest('hex'); });
  ws.connect(`${__ENV.SOCKET}/echo`, null, ({ on, send, close }) => {
    on('open', () => send('x'));
    on('message', (text) => { console.log(text); close(); });
  });
}
