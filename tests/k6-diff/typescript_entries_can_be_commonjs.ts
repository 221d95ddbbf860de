const { sleep } = require('k6');
const { five }: { five: number } = require('./modules/common_types.ts');

interface Named { name?: string }
const pause: number = 0.01;
const told = <T extends Named>(value: T): T => value;

module.exports.options = { iterations: 1, tags: { of: told({ name: 'types' }).name } };
module.exports.setup = function (): Named {
  return { name: 'of setup' };
};
module.exports.default = function (data: Named): void {
  sleep(pause);
  console.log(five, data.name);
};
