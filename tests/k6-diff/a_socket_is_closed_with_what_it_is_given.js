import ws from 'k6/ws';

export const options = { iterations: 1 };

export default function () {
  for (const code of [[], [undefined], [null], [1000], ['3000'], [NaN], [4000.9]]) {
    let closed = 'never';
    ws.connect(`${__ENV.SOCKET}/x`, (socket) => {
      socket.on('close', (shown) => (closed = shown));
      socket.on('open', () => socket.close(...code));
    });
    console.log(JSON.stringify(code), closed);
  }
}
