// npm: ajv@6.12.6 dist/ajv.bundle.js
import Ajv from 'https://jslib.k6.io/ajv/6.12.5/index.js';

export const options = { iterations: 1 };

const schema = {
  $id: 'http://example.com/user',
  type: 'object',
  required: ['name', 'tags'],
  additionalProperties: false,
  properties: {
    name: { type: 'string', pattern: '^[A-Z]', maxLength: 5 },
    mail: { type: 'string', format: 'email' },
    tags: { type: 'array', items: { $ref: '#/definitions/tag' }, uniqueItems: true },
    age: { type: 'integer', minimum: 0 },
  },
  definitions: { tag: { enum: ['a', 'b'] } },
};

export default function () {
  const ajv = new Ajv({ allErrors: true });
  const validate = ajv.compile(schema);
  for (const value of [
    { name: 'Ann', tags: ['a'], mail: 'a@b.example', age: 3 },
    { name: 'ann of somewhere', tags: ['c', 'c'], mail: 'x', age: 1.5, more: 1 },
    [],
    { name: 'A' },
  ]) {
    const is_valid = validate(value);
    console.log(is_valid, ajv.errorsText(validate.errors), JSON.stringify(validate.errors));
  }
}
