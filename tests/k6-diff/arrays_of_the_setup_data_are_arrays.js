// differs in console: in k6 an array of the setup data does not grow by push(); here it does
export const options = { iterations: 1 };
export function setup() { return { list: [1] }; }
export default function (data) { data.list.push(2); console.log(data.list.length); }
