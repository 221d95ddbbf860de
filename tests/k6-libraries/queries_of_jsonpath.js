// npm: jsonpath@1.1.1 jsonpath.js
import jsonpath from 'https://jslib.k6.io/jsonpath/1.0.2/index.js';

export const options = { iterations: 1 };

const store = {
  books: [
    { title: 'A', price: 8, by: { name: 'x' } },
    { title: 'B', price: 12 },
    { title: 'C', price: 23, isbn: '1' },
  ],
  bicycle: { price: 20 },
};

export default function () {
  for (const path of ['$.books[*].title', '$..price', '$.books[?(@.price<13)].title', '$..books[-1:].title', '$..[?(@.isbn)]', '$.books[(@.length-1)].title', '$.missing']) {
    console.log(path, JSON.stringify(jsonpath.query(store, path)));
  }
  console.log(JSON.stringify(jsonpath.paths(store, '$..name')), jsonpath.value(store, '$.books[1].price'));
  try {
    jsonpath.query(store, '$[');
  } catch (error) {
    console.log(error.message.split('\n')[0]);
  }
}
