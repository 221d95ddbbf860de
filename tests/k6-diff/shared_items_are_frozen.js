// differs in console: the same is refused, but with the engine's own messages, and Reflect.set() of a name throws
import { SharedArray } from 'k6/data';

export const options = { iterations: 1 };

const shared = new SharedArray('some', () => [{ a: 1, b: [1] }, 2, 'x']);

const uses = {
  setName: () => Reflect.set(shared, 'foo', 1),
  frozenSet: () => { shared[0].a = 3; },
  frozenAdd: () => { shared[0].c = 3; },
  frozenDelete: () => delete shared[0].a,
  frozenPush: () => shared[0].b.push(1),
  frozenItem: () => { shared[0].b[0] = 1; },
  frozenDefine: () => Object.defineProperty(shared[0], 'z', { value: 1 }),
};

export default function () {
  for (const [name, use] of Object.entries(uses)) {
    try {
      const value = use();
      console.log(name, typeof value, JSON.stringify(value));
    } catch (error) {
      console.log(name, String(error));
    }
  }
}
