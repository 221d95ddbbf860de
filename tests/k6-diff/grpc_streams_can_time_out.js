import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Count', { timeout: '300ms' });
  stream.on('data', (message) => console.log('data', JSON.stringify(message)));
  stream.on('error', (error) => console.log('error', JSON.stringify(error)));
  stream.on('end', () => console.log('end'));
  stream.write({ count: 5, millis: 200 });
  stream.end();
}
