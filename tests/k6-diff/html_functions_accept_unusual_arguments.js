import { parseHTML } from 'k6/html';

export const options = { iterations: 1 };

const page = `<html><body class="a"><div id=d data-x=1><p class=c>one <b>two</b></p><p>three</p></div>
<ul><li class=x>1<li data-a>2<li>3</ul><a id=q href="/z">t</a><map><area href=/w></map></body></html>`;
const plain = (text) => text.replace(/ at file:.*/, ' at PLACE');
const say = (what, f) => { try { const v = f(); console.log(what, typeof v, JSON.stringify(v)); } catch (e) { console.log(what, 'threw', plain(String(e))); } };
const shown = (v) => (v && v.size ? [v.size(), v.text()] : v && v.nodeName ? v.nodeName() : Array.isArray(v) ? v.length : v);

export default function () {
  const d = parseHTML(page);
  const [li, div] = [d.find('li'), d.find('div')];
  const others = { null: null, undefined: undefined, number: 5, object: {}, function: () => true, selector: 'p', selection: d.find('p'), element: d.find('p').get(0) };
  for (const [kind, value] of Object.entries(others)) {
    for (const name of ['children', 'next', 'nextAll', 'parent', 'parents', 'prev', 'prevAll', 'siblings', 'index', 'data', 'filter', 'is', 'nextUntil', 'prevUntil', 'parentsUntil', 'get', 'attr', 'eq']) {
      if (name === 'get' && typeof value === 'object' && value) continue;
      if (name === 'eq' && typeof value === 'object' && value) continue;
      say(`li.${name}(${kind})`, () => shown(li[name](value)));
      say(`div.${name}(${kind})`, () => shown(div[name](value)));
    }
  }
  say('data', () => [li.data(), li.eq(1).data(), li.eq(2).data(), div.data()]);
  say('get', () => [-1, -2, -3, -4, 0, 2, 3].map((n) => typeof li.get(n)).concat(typeof div.get(-1)));
  say('id', () => ['p', 'a', 'div', 'body'].map((name) => d.find(name).get(0).id()));
  say('toString', () => ['p', 'a', 'area'].map((name) => String(d.find(name).get(0))));
  say('each', () => li.each(() => { throw new TypeError('mine'); }));
  say('map', () => li.map((n) => { if (n === 1) throw new Error('mine'); return n; }));
  say('filter', () => li.filter(() => { throw new TypeError('mine'); }));
  say('is', () => li.is(() => { throw new TypeError('mine'); }));
}
