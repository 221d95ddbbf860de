import ws from 'k6/ws';
import { WebSocket } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
export default function () {
  const r = ws.connect(`${__ENV.SOCKET_TLS}/`, null, (s) => {
    s.on('open', () => s.send('hello'));
    s.on('message', (m) => { console.log('got', m); s.sendBinary(new Uint8Array([1, 2]).buffer); });
    s.on('binaryMessage', (m) => { console.log('got', m.byteLength); s.close(); });
    s.on('close', (c) => console.log('closed', c));
    s.on('error', (e) => console.log('error', e.error()));
  });
  console.log(r.status, r.error, r.body);
  const socket = new WebSocket(`${__ENV.SOCKET_TLS}/usual`);
  socket.onopen = () => console.log('open', socket.readyState);
  socket.onclose = () => console.log('closed');
  socket.onerror = (e) => console.log('error', e.error);
}
