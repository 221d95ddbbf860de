import ws from 'k6/ws';
export const options = { iterations: 1 };
export default function () {
  ws.connect(`${__ENV.SOCKET}/echo`, (socket) => {
    let count = 0;
    socket.on('open', () => {
      socket.setTimeout(() => console.log('later'), 5);
      socket.setInterval(() => { if (++count === 3) { console.log('third'); socket.close(); } }, 30);
      for (const f of [() => socket.setTimeout(() => {}, 0), () => socket.setInterval(() => {}, -1)]) {
        try { f(); } catch (e) { console.log(String(e)); }
      }
    });
  });
}
