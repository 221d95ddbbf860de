import ws from 'k6/ws';
export const options = { iterations: 1 };
export default function () {
  for (const address of [__ENV.DEFLATE, __ENV.DEFLATE_TLS]) {
    let count = 0;
    const r = ws.connect(`${address}/`, { compression: 'deflate' }, (s) => {
      const one = (what) => { console.log(what); if (++count === 5) s.close(); };
      s.on('open', () => { s.send('hello'.repeat(1000)); s.send('x'); s.send('y'.repeat(100000)); s.send('ü€𝄞'); s.sendBinary(new Uint8Array([1, 2, 3]).buffer); });
      s.on('message', (m) => one(`text ${m.length} ${m.slice(0, 9)}`));
      s.on('binaryMessage', (m) => one(`bytes ${m.byteLength}`));
      s.on('error', (e) => console.log('error', e.error()));
      s.on('close', (c) => console.log('closed', c));
    });
    console.log(r.status, r.headers['Sec-Websocket-Extensions']);
  }
}
