const { sleep } = require('k6');
interface Parts {
  five: number;
}
const parts: Parts = { five: 5 };
module.exports = { ...parts, half: (n: number): number => n / 2, slept: sleep(0) as undefined };
