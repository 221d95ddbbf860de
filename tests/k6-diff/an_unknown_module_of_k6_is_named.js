import thing from 'k6/nonsense';
export const options = { iterations: 1 };
export default function () {}
