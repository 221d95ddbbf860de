// flags: --secret-source=mock=a
export const options = { iterations: 1 };
export default function () {}
