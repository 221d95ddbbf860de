function sum(n) {
  return n === 0 ? 0 : 1 + sum(n - 1);
}

const walk = (n) => (n ? [n].map(() => walk(n - 1))[0] + 1 : 0);

class Node {
  constructor(depth) {
    this.next = depth ? new Node(depth - 1) : null;
  }
  get depth() {
    return this.next ? this.next.depth + 1 : 0;
  }
}

export default function () {
  console.log(sum(10000), walk(2000), new Node(2000).depth);
  let tree = {};
  for (let i = 0; i < 5000; i++) tree = { child: tree };
  const text = JSON.stringify(tree);
  console.log(text.length, JSON.stringify(JSON.parse(text)).length);
  // Again, after the stack has been released.
  console.log(sum(10000));
}
