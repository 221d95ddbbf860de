import ws from 'k6/ws';
import { WebSocket, Blob } from 'k6/experimental/websockets';

export const options = { iterations: 1 };

const say = (what, f) => { try { const v = f(); console.log(what, typeof v, JSON.stringify(v)); } catch (e) { console.log(what, 'threw', String(e)); } };

export default function () {
  for (const value of [null, undefined, 5, 'x', {}]) {
    say(`setTimeout ${value}`, () => setTimeout(value, 1));
    say(`setInterval ${value}`, () => setInterval(value, 1));
  }
  ws.connect(`${__ENV.SOCKET}/echo`, null, (socket) => {
    let count = 0;
    for (const value of [5, 'x', {}]) say(`socket.setTimeout ${value}`, () => socket.setTimeout(value, 5));
    for (const time of ['x', 0, -1, null, undefined, NaN]) say(`socket.setTimeout in ${time}`, () => socket.setTimeout(() => {}, time));
    say('socket.setInterval', () => socket.setInterval(() => {}));
    socket.on('open', () => { for (const value of [null, undefined, 5, {}, [1], true]) socket.send(value); });
    socket.on('message', (text) => { console.log(JSON.stringify(text)); count += 1; if (count === 6) socket.close(); });
  });
}
