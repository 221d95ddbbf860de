import redis from 'k6/experimental/redis';

const client = new redis.Client('redis://127.0.0.1:1');
client.get('k').catch((error) => console.log('rejected', typeof error, String(error)));

export default function () {
  console.log('ran');
}
