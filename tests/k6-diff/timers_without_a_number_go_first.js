export const options = { iterations: 1 };
export default function () {
  const say = (what) => () => console.log(what);
  for (const delay of [undefined, NaN, -5, 0, null, -Infinity, {}, '', 'text', true, '2', [3], 0.5]) setTimeout(say(String(delay)), delay);
  setTimeout(say('nothing'));
  setTimeout(say('again NaN'), NaN);
  Promise.resolve().then(say('a job'));
  console.log('the end');
}
