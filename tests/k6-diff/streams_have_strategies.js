import { ReadableStream, ReadableStreamDefaultReader, CountQueuingStrategy } from 'k6/experimental/streams';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
export default async function () {
  const sizes = (strategy, chunk) => {
    const all = [];
    const start = (c) => { all.push(c.desiredSize); c.enqueue(chunk); all.push(c.desiredSize); c.close(); all.push(c.desiredSize); };
    new ReadableStream({ start }, strategy);
    return all.join(' ');
  };
  console.log(sizes(new CountQueuingStrategy({ highWaterMark: 3 }), 'abc'));
  console.log(sizes({ highWaterMark: 10, size: (chunk) => chunk.length }, 'abc'), sizes(undefined, 1), sizes({}, 1));
  const strategy = new CountQueuingStrategy({ highWaterMark: 3 });
  console.log(strategy.highWaterMark, strategy.size(), strategy.size('abc'), String(strategy));
  await attempt('none', () => new CountQueuingStrategy());
  await attempt('empty', () => new CountQueuingStrategy({}));
  await attempt('number', () => new CountQueuingStrategy(5));
  for (const highWaterMark of [-1, NaN, 'x']) await attempt('mark', () => sizes({ highWaterMark }, 1));
  await attempt('size', () => sizes({ size: 'x' }, 1));
  for (const source of [{ type: 'bytes' }, { type: 'x' }, null, 5, { start: 5 }, { pull: 5 }, { cancel: 5 }]) {
    await attempt('source', () => new ReadableStream(source).locked);
  }
}
