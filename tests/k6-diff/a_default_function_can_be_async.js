export const options = { iterations: 2 };
export default async function () { await new Promise((resolve) => setTimeout(resolve, 20)); console.log('after', __ITER); }
