// What is not defined is null, a time has no zeros at its end, collections are lists, bytes are base64, and what
// has no JSON is not left out but said.
(value, base64) => {
  let why;
  const around = [];

  // Structs of Go that have no names for JSON, by the names that scripts see.
  const STRUCTS = new Map([
    ['name,value,domain,path,http_only,secure,max_age,expires', ['Name', 'Value', 'Domain', 'Path', 'HTTPOnly', 'Secure', 'MaxAge', 'Expires']],
    ['name,value,replace', ['Name', 'Value', 'Replace']],
    ['data,filename,content_type', ['Data', 'Filename', 'ContentType']],
    ['name,url,clean_url', ['Name', 'URL', 'CleanURL']],
  ]);

  // The shortest number that is this one with 32 bits.
  const short = (number) => {
    for (let digits = 1; digits < 9; digits++) {
      const shorter = Number(number.toPrecision(digits));
      if (Math.fround(shorter) === number) return shorter;
    }
    return number;
  };

  const object = (own) => {
    const out = Object.create(null);
    const prototype = Object.getPrototypeOf(own);
    const isPlain = prototype === null || prototype === Object.prototype;
    const keys = Object.keys(own);
    const names = STRUCTS.get(keys.join()) ?? keys;
    keys.forEach((key, n) => {
      const inner = own[key];
      // Methods of what the modules make, such as responses, are none of its data.
      if (typeof inner === 'function' && !isPlain) return;
      out[names[n]] = plain(inner);
    });
    return out;
  };

  const bytes = (view) => {
    // Lists of Go that nobody has made are nil.
    if (view.length === 0) return null;
    if (view instanceof Uint8Array || view instanceof Uint8ClampedArray) return base64(view);
    if (view instanceof DataView) return {};
    return Array.from(view, view instanceof Float32Array ? (n) => plain(short(n)) : plain);
  };

  const within = (own) => {
    if (own instanceof Map || own instanceof Set) return Array.from(own, plain);
    return Array.isArray(own) ? Array.from(own, plain) : object(own);
  };

  const plain = (own) => {
    switch (typeof own) {
      case 'undefined':
        return null;
      case 'function':
        why ??= 'type: func(sobek.FunctionCall) sobek.Value';
        return null;
      case 'bigint':
        return Number(own);
      case 'symbol':
        return own.description ?? '';
      case 'number':
        if (!Number.isFinite(own)) why ??= `value: ${own !== own ? 'NaN' : own > 0 ? '+Inf' : '-Inf'}`;
        return own;
      case 'object':
        break;
      default:
        return own;
    }
    if (own === null || why !== undefined) return null;
    if (own instanceof Date) return isNaN(own) ? null : own.toISOString().replace(/\.?0+Z$/, 'Z');
    if (own instanceof Number || own instanceof Boolean) return plain(own.valueOf());
    if (own instanceof String) return {};
    if (ArrayBuffer.isView(own)) return bytes(own);
    if (around.includes(own)) {
      const kind = Array.isArray(own) ? '[]' : 'map[string]';
      why = `value: encountered a cycle via ${kind}interface {}`;
      return null;
    }
    around.push(own);
    const made = within(own);
    around.pop();
    return made;
  };

  return { json: JSON.stringify(plain(value)), why };
}
