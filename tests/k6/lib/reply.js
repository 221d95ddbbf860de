// Reads responses that may be missing.

// The part of a JSON body at `path`; undefined if there is no body or it is not JSON. `json` of a
// response throws in this case, so that later code is skipped, such as a rate that should count the
// failure.
export function field(response, path) {
  try {
    return response.json(path);
  } catch (_) {
    return undefined;
  }
}
