const value = await Promise.resolve(2);
export const options = { iterations: value };
export default function () { console.log('ran', value); }
