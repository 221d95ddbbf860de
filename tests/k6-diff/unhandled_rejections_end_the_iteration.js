export const options = { iterations: 5 };
export default async function () {
  if (__ITER === 0) { throw new TypeError('async'); }
  if (__ITER === 1) { Promise.reject(7); console.log('goes on'); }
  if (__ITER === 2) { setTimeout(() => { throw new Error('timer'); }, 1); }
  if (__ITER === 3) { await Promise.reject('text'); }
  if (__ITER === 4) { await Promise.reject(1).catch((n) => console.log('caught', n)); }
}
