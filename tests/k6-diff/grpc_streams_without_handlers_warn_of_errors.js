import grpc from 'k6/net/grpc';

const client = new grpc.Client();
client.load(['data/grpc'], 'lab.proto');

export default function () {
  client.connect(__ENV.GRPC, { plaintext: true });
  const stream = new grpc.Stream(client, 'lab.v1.Lab/Count');
  stream.write({ count: 1, code: 5 });
  stream.end();
}
