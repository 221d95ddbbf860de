// differs in console: for `o[key]()` k6 names the missing member; here the engine reports only that it is not a function
export const options = { iterations: 1 };

export default function () {
  const o = { number: 1 };
  for (const key of ['missing', 'number']) {
    try {
      o[key]();
    } catch (error) {
      console.log(error.name, error.message);
    }
  }
}
