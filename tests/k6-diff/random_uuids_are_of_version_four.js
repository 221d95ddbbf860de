export const options = { iterations: 1 };
export default function () {
  const all = new Set();
  for (let i = 0; i < 100; i++) all.add(crypto.randomUUID());
  const form = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  console.log(all.size, [...all].every((id) => form.test(id)), typeof crypto.randomUUID());
}
