function inner() { throw new TypeError('wrong'); }
export const options = { iterations: 1 };
export default function () {
  try { inner(); } catch (e) {
    const lines = e.stack.split('\n');
    console.log(lines[0], lines.slice(1, -1).map((line) => line.replace(/^\tat (\S+) \(.*\/(\S+?):.*$/, '$1 $2')).join('|'), lines.length, JSON.stringify(Object.keys(e)));
  }
  class Own extends Error { constructor(m) { super(m); this.name = 'Own'; } }
  try { throw new Own('mine'); } catch (e) { console.log(e.stack.split('\n').length > 1, e instanceof Own, String(e)); }
}
