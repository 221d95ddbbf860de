import { called, top } from './modules/somewhere/part.js';
import * as later from './modules/somewhere/later.js';

export const options = { iterations: 1 };

const say = (what, f) => {
  if (__VU !== 0) return;
  try {
    console.log(what, f());
  } catch (error) {
    console.log(what, String(error).replace(/ \/.*\//, ' '));
  }
};

const common = require('./modules/somewhere/common.js');
say('top level', () => top);
say('top level, later', () => [later.top, later.mapped, later.viaPart].join());
say('top level of CommonJS', () => common.top);
say('here', () => open('./data/lines.txt').split('\n')[0]);
say('called from here', () => called());
say('CommonJS called from here', () => common.called());

export default function () {}
