import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Count', { tags: { own: 'tag' }, metadata: { 'x-a': 'b' } });
  console.log(Object.keys(stream).join());
  stream.on('data', (message, about) => {
    console.log('data', JSON.stringify(message), Object.keys(about).join(), Math.abs(about.ts - Date.now() / 1000) < 5);
  });
  stream.on('data', () => console.log('another handler'));
  stream.on('error', (error) => console.log('error', JSON.stringify(error)));
  stream.on('end', (nothing, about) => {
    console.log('end', JSON.stringify(nothing), typeof about.ts);
    client.close();
  });
  console.log(stream.write({ count: 3, millis: 5 }), stream.end());
  console.log('written');
}
