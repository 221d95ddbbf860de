import { ReadableStream, ReadableStreamDefaultReader, CountQueuingStrategy } from 'k6/experimental/streams';
export const options = { iterations: 1 };
const attempt = async (name, f) => { try { console.log(name, await f()); } catch (e) { console.log(name, String(e)); } };
export default async function () {
  const failing = (source) => new ReadableStream(source);
  await attempt('error', () => failing({ start(c) { c.error(new Error('bad')); } }).getReader().read());
  await attempt('closed', () => failing({ start(c) { c.error('bad'); } }).getReader().closed);
  await attempt('start', () => failing({ start() { throw new Error('in start'); } }).locked);
  await attempt('late start', () => failing({ start() { return Promise.reject(new Error('in start')); } }).getReader().read());
  await attempt('pull', () => failing({ pull() { throw new Error('in pull'); } }).getReader().read());
  await attempt('cancel', () => failing({ cancel() { throw new Error('in cancel'); } }).cancel('why'));
  await attempt('enqueue', () => failing({ start(c) { c.close(); c.enqueue(1); } }));
  await attempt('close', () => failing({ start(c) { c.close(); c.close(); } }));
  for (const size of [() => { throw new Error('in size'); }, () => -1, () => Infinity, () => NaN]) {
    await attempt('size', () => new ReadableStream({ start(c) { c.enqueue(1); } }, { size }));
  }
}
