export const options = { iterations: 2, nonsense: 1 };
export default function () {}
