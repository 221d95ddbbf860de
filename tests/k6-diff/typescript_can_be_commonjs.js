// A CommonJS library in TypeScript, by `require` and by `import`.
import common, { five } from './modules/common_types.ts';

const again = require('./modules/common_types.ts');

export default function () {
  console.log(five, JSON.stringify(common), again === common, again.half(7));
}
