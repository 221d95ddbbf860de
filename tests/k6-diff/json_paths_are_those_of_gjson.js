import http from 'k6/http';
export const options = { iterations: 1 };
const document = { name: { first: 'Tom', last: 'Anderson' }, age: 37, ok: true, no: null, children: ['Sara', 'Alex', 'Jack'], 'fav.movie': 'Deer Hunter', nested: [[1, 2], [3, [4]]], big: 12345678901234567890,
  friends: [{ first: 'Dale', last: 'Murphy', age: 44, nets: ['ig', 'fb', 'tw'] }, { first: 'Roger', last: 'Craig', age: 68, nets: ['fb', 'tw'] }, { first: 'Jane', last: 'Murphy', age: 47, nets: ['ig', 'tw'] }] };
const paths = ['name.last', 'age', 'ok', 'no', 'children', 'children.#', 'children.1', 'child*.2', 'c?ildren.0', 'fav\\.movie', 'friends.#.first', 'friends.1.last',
  'friends.#(last=="Murphy").first', 'friends.#(last=="Murphy")#.first', 'friends.#(age>45)#.last', 'friends.#(first%"D*").last', 'friends.#(first!%"D*").last', 'friends.#(nets.#(=="fb"))#.first',
  'friends.#(age>100)', 'friends.#(age>100)#', 'children.@reverse', 'name.@reverse', 'children.@reverse.0', 'children|@reverse|0', 'name.@keys', 'name.@values', 'name.@this.first', 'friends.#.nets.#', 'friends.#.nets|0',
  'nested.@flatten', 'nested.@flatten:{"deep":true}', '{age,ok}', '[age,ok]', '{"years":age,name.first}', 'friends.#.{first,age}', 'name.@tostr', '@this', '@valid', 'children.@join', 'friends.0.@pretty', 'friends.0.@ugly',
  'children.10', 'children.-1', 'nothing', 'name.nothing.more', 'friends.#(age>40)#|#', 'friends.#(age>40)#.#', '!"static"', 'name.@nosuch', '..0', 'friends.#', '', 'name.', '#', 'big', 'friends.#(last!="Murphy").first', 'friends.#(age<=44).first', 'friends.#(first>"E")#.first'];
const show = (value) => JSON.stringify(value, (key, inner) => (inner && typeof inner === 'object' && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort()) : inner));
export default function () {
  const r = http.post(`${__ENV.BASE}/back`, JSON.stringify(document));
  for (const path of paths) {
    try { console.log(path, '=>', show(r.json(path))); } catch (e) { console.log(path, '!!', e.message); }
  }
}
