import ws from 'k6/ws';
import { WebSocket } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
export default function () {
  for (const compression of ['gzip', 'DEFLATE', ' deflate ', '', null, 5]) {
    try { console.log(compression, ws.connect(`${__ENV.DEFLATE}/`, { compression }, (s) => s.on('open', () => s.close())).status) } catch (e) { console.log(compression, e.name, e.message) }
    try { const s = new WebSocket(`${__ENV.DEFLATE}/`, null, { compression }); s.onopen = () => s.close(); } catch (e) { console.log(compression, e.name, e.message) }
  }
}
