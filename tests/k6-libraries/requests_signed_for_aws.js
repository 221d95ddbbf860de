import http from 'k6/http';
import { AWSConfig, S3Client, SecretsManagerClient, SignatureV4, Endpoint } from 'https://jslib.k6.io/aws/0.14.0/index.js';

export const options = { iterations: 1 };

const config = new AWSConfig({ region: 'eu-west-1', accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'x'.repeat(40) });
const signer = new SignatureV4({
  service: 's3',
  region: 'eu-west-1',
  credentials: { accessKeyId: 'AKIAEXAMPLEEXAMPLE00', secretAccessKey: 'x'.repeat(40) },
  uriEscapePath: false,
  applyChecksum: true,
});

export default async function () {
  const request = {
    method: 'PUT',
    endpoint: new Endpoint('https://example.com'),
    path: '/a folder/file.txt',
    query: { b: '2', a: '1' },
    headers: { 'x-amz-meta': 'v' },
    body: 'content',
  };
  const signed = signer.sign(request, { signingDate: new Date(Date.UTC(2024, 0, 2, 3, 4, 5)) });
  console.log(signed.url, JSON.stringify(signed.headers));
  const presigned = signer.presign({ ...request, method: 'GET', body: null }, { signingDate: new Date(Date.UTC(2024, 0, 2)), expiresIn: 60 });
  console.log(presigned.url);
  config.endpoint = new Endpoint(__ENV.BASE);
  for (const [what, call] of [
    ['buckets', () => new S3Client(config).listBuckets()],
    ['secret', () => new SecretsManagerClient(config).getSecret('name')],
  ]) {
    try {
      console.log(what, JSON.stringify(await call()));
    } catch (error) {
      console.log(what, error.name, error.message);
    }
  }
  console.log(http.get(`${__ENV.BASE}/json`).status);
}
