// differs in console: an array of k6's setup data does not grow by push()
export const options = { iterations: 1 };
export function setup() { return { list: [1] }; }
export default function (data) { data.list.push(2); console.log(data.list.length); }
