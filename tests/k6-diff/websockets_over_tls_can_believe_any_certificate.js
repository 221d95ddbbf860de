import ws from 'k6/ws';
import { WebSocket } from 'k6/experimental/websockets';
export const options = { iterations: 1, insecureSkipTLSVerify: true };
export default function () {
  const r = ws.connect(`${__ENV.SOCKET_UNKNOWN}/`, null, (s) => s.on('open', () => s.close()));
  console.log(r.status, r.error);
  const socket = new WebSocket(`${__ENV.SOCKET_UNKNOWN}/usual`);
  socket.onopen = () => console.log('open');
}
