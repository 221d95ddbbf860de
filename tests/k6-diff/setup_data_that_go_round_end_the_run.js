export const options = { iterations: 1 };
export function setup() {
  const data = { list: [] };
  data.list.push(data);
  return data;
}
export default function () {}
