// flags: --secret-source=file=none.txt
export const options = { iterations: 1 };
export default function () {}
