import grpc from 'k6/net/grpc';
import { group } from 'k6';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  group('talk', () => {
    const stream = new grpc.Stream(client, 'lab.v1.Lab/Chat');
    let count = 0;
    stream.on('data', (message) => {
      console.log('data', message.text);
      if (count++ < 3) stream.write({ text: `again ${count}` });
      else stream.end();
    });
    stream.on('error', (error) => console.log('error', JSON.stringify(error)));
    stream.on('end', () => {
      console.log('end');
      client.close();
    });
    stream.write({ text: 'hello' });
  });
}
