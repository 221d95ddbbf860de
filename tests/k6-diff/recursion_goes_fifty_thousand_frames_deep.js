export const options = { iterations: 1 };

const sum = (n) => (n === 0 ? 0 : 1 + sum(n - 1));
const walk = (n) => (n ? [n].map(() => walk(n - 1))[0] + 1 : 0);
const unwind = (n) => {
  try {
    if (n === 0) throw new Error('at the bottom');
    return unwind(n - 1);
  } finally {
    unwound += 1;
  }
};
let unwound = 0;

export default function () {
  console.log(sum(50000), walk(5000));
  try {
    unwind(20000);
  } catch (error) {
    console.log(error.message, unwound);
  }
}
