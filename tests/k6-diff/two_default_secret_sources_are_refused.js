// flags: --secret-source=mock=name=a,default,k=v1 --secret-source=mock=name=b,default,k=v2
export const options = { iterations: 1 };
export default function () {}
