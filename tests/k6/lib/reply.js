// Reading answers that may not have come.

// The part of a JSON body at `path`; undefined where there is no body or it is not JSON. `json` of a
// response throws there, and whatever follows it is left out: a rate that should count the failure, too.
export function field(response, path) {
  try {
    return response.json(path);
  } catch (_) {
    return undefined;
  }
}
