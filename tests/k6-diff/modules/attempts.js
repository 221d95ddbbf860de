// Logs the result of a function, with sorted properties of objects, since the order varies in k6's messages.
export function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (!value || typeof value !== 'object' || typeof value.valueOf() !== 'object') return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

export function attempt(name, act) {
  try {
    console.log(name, JSON.stringify(sorted(act())));
  } catch (error) {
    console.log(name, 'throws', error.name, String(error));
  }
}
