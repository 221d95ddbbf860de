// flags: --no-summary
// Uploads above 64 KB spread their bytes over the arguments of one call.
const list = new Array(70000).fill(7);
const bytes = new Uint8Array(70000).fill(65);

class Base {
  constructor(...items) { this.items = items; }
  count(...items) { return items.length + this.items.length; }
}
class Derived extends Base {
  #hidden(...items) { return items.length; }
  count(...items) { return super.count(...items) + this.#hidden(...items); }
}

const order = [];
const note = (name, value) => { order.push(name); return value; };
const counter = { of() { return { name: 'inner', tell(...all) { return `${this.name} ${all.length}`; } }; } };

function plain() { return arguments.length; }
async function later(...all) { return (await Promise.resolve(all)).length; }
function* each(...all) { yield all.length; yield plain(...(yield all[1])); }

export default async function () {
  console.log(Math.max(...list), Math.max.apply(null, list), Reflect.apply(Math.min, null, list));
  const out = [];
  out.push(...list);
  out.unshift(0, ...list, 1);
  out.splice(1, 2, ...list);
  console.log(out.length, [].concat(...list).length, String.fromCharCode(...bytes).length, String.fromCharCode.apply(null, bytes).length);
  console.log(plain(...list), plain(1, ...list, 2, ...list), new Base(...list).items.length, Reflect.construct(Base, list).items.length);
  console.log(new Derived(1, 2).count(...list), counter.of().tell(...list), counter['of']().tell(...list), (0, plain)(...list));
  console.log(await later(...list), plain.bind(null, 1)(...list), plain.call(null, ...list));
  const steps = each(...list);
  console.log(steps.next().value, steps.next().value, steps.next(list).value);
  note('object', { m: (...all) => note(`m ${all}`) })[note('key', 'm')](...note('list', [1, 2]), note('last', 3));
  console.log(order.join());
  for (const mistake of [() => list.nope(...list), () => list.nope.x(...list), () => nothing(...list), () => Math.max(...5), () => new list.nope(...list), () => plain.apply(null, 1), () => [][0](...list)]) {
    try { mistake(); } catch (error) { console.log(error.message); }
  }
}
