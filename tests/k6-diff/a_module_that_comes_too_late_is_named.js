export const options = { iterations: 1 };
if (__VU > 0) {
  try { require('./modules/star_one.js'); } catch (error) { console.log(String(error)); }
}
export default function () {}
