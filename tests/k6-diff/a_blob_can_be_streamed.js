import { Blob } from 'k6/experimental/websockets';
export const options = { iterations: 1 };
export default async function () {
  for (const text of ['short', 'x'.repeat(3000), '']) {
    const reader = new Blob([text]).stream().getReader();
    const sizes = [];
    for (let part = await reader.read(); !part.done; part = await reader.read()) sizes.push(`${typeof part.value} ${part.value.length}`);
    console.log(sizes.join(', '));
  }
}
