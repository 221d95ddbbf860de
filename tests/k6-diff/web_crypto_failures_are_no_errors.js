export const options = { iterations: 1 };
const { subtle } = crypto;

export default async function () {
  try {
    await subtle.digest('MD5', new Uint8Array(3));
  } catch (e) {
    console.log(e instanceof Error, e.name, e.message, JSON.stringify(e), String(e));
  }
  await subtle.generateKey({ name: 'AES-CBC', length: 5 }, true, ['encrypt']);
}
