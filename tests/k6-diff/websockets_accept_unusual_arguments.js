import { WebSocket, Blob } from 'k6/experimental/websockets';

export const options = { iterations: 1 };

const say = (what, f) => { try { const v = f(); console.log(what, typeof v, JSON.stringify(v)); } catch (e) { console.log(what, 'threw', String(e)); } };
const names = ['onopen', 'onmessage', 'onerror', 'onclose', 'onping', 'onpong'];

export default function () {
  const url = `${__ENV.SOCKET}/echo`;
  for (const value of [undefined, null, 5, '', 'x']) say(`url ${value}`, () => new WebSocket(value));
  say('without new', () => { const socket = WebSocket(url); socket.onopen = () => socket.close(); return socket.readyState; });
  const socket = new WebSocket(url);
  say('handlers', () => names.map((name) => typeof socket[name]));
  for (const value of [null, undefined, 5, 'x', {}, () => 1]) say(`onmessage ${typeof value}`, () => { socket.onmessage = value; return typeof socket.onmessage; });
  for (const value of [null, undefined, 5, 'foo', '', 'arraybuffer']) say(`binaryType ${value}`, () => { socket.binaryType = value; return socket.binaryType; });
  for (const value of [null, undefined, 5, {}]) say(`listener ${value}`, () => socket.addEventListener('open', value));
  for (const kind of [null, undefined, 5, 'foo']) say(`listener of ${kind}`, () => socket.addEventListener(kind, () => {}));
  say('no listener', () => socket.addEventListener());
  socket.addEventListener('open', () => socket.close());
  for (const parts of [undefined, null, 5, 'x', {}, [], ['a', 5], [null], [{}], ['ü', new Uint8Array([1])]]) say(`blob of ${JSON.stringify(parts)}`, () => new Blob(parts).size);
  for (const options of [undefined, null, 5, 'x', { type: 5 }, { type: 'a/b' }]) say(`blob with ${JSON.stringify(options)}`, () => new Blob(['a'], options).type);
}
