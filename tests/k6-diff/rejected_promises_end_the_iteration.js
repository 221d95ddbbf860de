export const options = { iterations: 2 };
export default async function () { if (__ITER === 0) { await Promise.reject(new Error('rejected')); } console.log('second'); }
