// Failing services respond with HTML pages, and users search logs for the errors of JSON.parse() about them.
const texts = [
  '', ' ', '{', '[1,2', '{"a":"b"', 'nul', '"abc', '1.', '-', '1e', '<html>', '<!DOCTYPE html>', 'Internal Server Error', 'undefined', 'NaN', 'Infinity', '\u0001',
  '{"a":}', '[1,]', '{"a":1,}', "{'a':1}", '{a:1}', '{1:2}', '{"a" 1}', '{"a"}', '{"a":1 "b"}', '[1 2]', ']', '}', ':', ',', '{"a":1}x', '{"a":1}{', '[1]]', '01', 'true false', '1 "x"', '[] []',
  'falsy', '{"a":tru}', 'tr', '"a\nb"', '"\\x"', '"\\u12"', '"\\u12', '-a', '1.a', '1e+a', 'é', '[[[[1],2],{"a":[}]',
];

export default function () {
  for (const text of texts) {
    try {
      console.log(text, JSON.stringify(JSON.parse(text)));
    } catch (error) {
      console.log(error.message, '|', error.name, error instanceof SyntaxError);
    }
  }
  for (const odd of [undefined, null, 5, {}, [1], true, { toString: () => '{"a":1}' }, Symbol('s')]) {
    try { console.log(JSON.stringify(JSON.parse(odd))); } catch (error) { console.log(String(error)); }
  }
  console.log(JSON.stringify(JSON.parse('{"a":[1,{"b":2}],"c":"x"}', (key, value) => (typeof value === 'number' ? value * 2 : value))));
  try { JSON.parse('[1]', () => { throw new SyntaxError('mine'); }); } catch (error) { console.log(String(error)); }
}
