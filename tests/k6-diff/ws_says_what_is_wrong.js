import ws from 'k6/ws';
export const options = { iterations: 1 };
const attempt = (f) => { try { f(); console.log('fine'); } catch (e) { console.log(String(e)); } };
export default function () {
  const url = `${__ENV.SOCKET}/echo`;
  attempt(() => ws.connect());
  attempt(() => ws.connect(url, null));
  attempt(() => ws.connect(url, {}, 5));
  attempt(() => ws.connect(url, { compression: 'gzip' }, () => {}));
  attempt(() => ws.connect(url, { tags: { a: {} } }, () => {}));
  attempt(() => ws.connect(url, () => { throw new Error('boo'); }));
  attempt(() => ws.connect(url, (socket) => {
    socket.on('close', (code) => console.log('close', code));
    socket.on('open', () => { throw new Error('in open'); });
  }));
  attempt(() => ws.connect(url, (socket) => socket.on('open', () => {
    for (const value of ['x', 5, undefined, new Uint8Array(2)]) attempt(() => socket.sendBinary(value));
    socket.on('error', (e) => console.log(e.error()));
    socket.close();
    socket.send('late');
  })));
}
