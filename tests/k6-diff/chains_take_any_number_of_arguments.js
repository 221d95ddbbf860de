// flags: --no-summary
// Calls in chains with `?.` and of parents, with more arguments than the engine takes by itself.
const list = new Array(70000).fill(7);
const o = { n(...all) { return [this === o, all.length]; }, get self() { return o; }, get nothing() { return undefined; }, five: 5, Made: class { constructor(...all) { this.count = all.length; } } };
const key = 'n';
let u;

class Base {
  constructor(...all) { this.count = all.length; this.target = new.target.name; }
  static make(...all) { return new this(...all); }
  n(...all) { return all.length; }
}
class Direct extends Base {
  field = 1;
  constructor(...all) {
    const own = this_()
    super(...all)
    this.more = this.field + own
  }
}
function this_() { return 2; }
class Twice extends Direct {
  constructor(...all) { super(1, ...all, 2, ...all); }
  n(...all) { return [super.n(...all), super['n'](...all), super[key](...all)]; }
}
class Implicit extends Twice {}
class Arrow extends Base { constructor(...all) { const f = () => super(...all); f(); } }
class List extends Array { constructor(...all) { super(...all); } }
class Problem extends Error { constructor(...all) { super(...all); this.name = 'Problem'; } }
class Nested extends Base { constructor(...all) { super(...[new Direct(...all).count], ...all); } }
const Anonymous = class extends Base { #p = 3; constructor(...all) { return (super(...all), this); } get p() { return this.#p; } };
function Old(...all) { this.count = all.length; }
class Young extends Old { constructor(...all) { super(...all); } }

const calls = {
  member: () => o?.n(...list), computed: () => o?.[key](...list), later: () => o?.self.n(...list), twice: () => o?.self?.n?.(...list), optional: () => o.n?.(...list), 'optional, computed': () => o[key]?.(...list),
  call: () => o.n?.call(null, ...list), nothing: () => u?.n(...list), 'nothing and more': () => u?.x.n(...list).z, getter: () => o.nothing?.n(...list), 'optional getter': () => o.nothing?.(...list),
  made: () => new o.Made(...list).count, 'made, computed': () => new o['Made'](...list).count, 'made, chain': () => new (o?.Made)(...list).count, parentheses: () => (o.n)(...list), result: () => o?.n(...list)?.[1]?.toFixed(...[2]),
  direct: () => new Direct(...list), parents: () => new Twice(...list), implicit: () => new Implicit(...list), arrow: () => new Arrow(...list), list: () => new List(...list).length, error: () => new Problem('a', ...list).message, nested: () => new Nested(...list),
  anonymous: () => [new Anonymous(...list), new Anonymous(...list).p], function: () => new Young(...list), static: () => Twice.make(...list), super: () => new Twice().n(...list), construct: () => Reflect.construct(Direct, list, Implicit),
  prototypes: () => Object.getPrototypeOf(Twice) === Direct && Object.getPrototypeOf(Direct) === Base, instance: () => new Twice(...list) instanceof Base, few: () => [new Twice(1, 2), new Direct(), new List(3).length],
  'no function': () => o?.five(...list), 'no member': () => o?.nope(...list), 'no computed member': () => o?.[key + 'x'](...list), 'no optional function': () => o.five?.(...list), 'no class': () => new o.nope(...list), 'of nothing': () => new u.x(...list), 'optional of nothing': () => u.x?.(...list),
  natives: () => [Math.max?.(...list), [].concat?.(...list).length, String.fromCharCode?.(...list).length], push: () => { const r = []; r?.push(...list, ...list); return r.length; }, template: () => `${o?.n(...list)}${[...list].length}`, spread: () => ({ ...o?.n(...list) }), value: () => (function () { return arguments.length; })?.(...list),
};

export default function () {
  for (const [name, call] of Object.entries(calls)) {
    try { console.log(name, JSON.stringify(call())); } catch (error) { console.log(name, 'throws', error.name, error.message); }
  }
}
