export const options = { iterations: 2 };
export default function () {
  setTimeout(() => console.log('never'), 1500);
  const cleared = setTimeout(() => {}, 1500);
  setInterval(() => console.log('never'), 1500);
  clearTimeout(cleared);
  setTimeout(() => {
    throw new Error('from a timer');
  }, 1);
}
