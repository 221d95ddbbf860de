export const top = open('./named.txt').trim();
export function called() {
  return open('./named.txt').trim();
}
