// Runs a function of in_pyodide.py in Pyodide and prints what it returns, as JSON.
//
//   node in_pyodide.mjs PAGE FUNCTION SHARED
//
// PAGE is a built page, of which Pyodide and our wheel are used, and no more; SHARED is mounted as /shared, where it
// exists.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

async function main(page, name, shared) {
  const load = (...parts) => import(pathToFileURL(join(page, ...parts)));
  const { loadPyodide } = await load("pyodide", "pyodide.mjs");
  const pyodide = await loadPyodide({ indexURL: join(page, "pyodide/") });
  const { wheel } = JSON.parse(readFileSync(join(page, "data", "manifest.json"), "utf8"));
  pyodide.unpackArchive(new Uint8Array(readFileSync(join(page, wheel))), "wheel");
  if (shared) pyodide.mountNodeFS("/shared", shared);
  const globals = pyodide.toPy({ __name__: "in_pyodide" });
  pyodide.runPython(readFileSync(new URL("in_pyodide.py", import.meta.url), "utf8"), { globals });
  return pyodide.runPython(`import json\njson.dumps(${name}())`, { globals });
}

try {
  process.stdout.write(await main(...process.argv.slice(2)));
} catch (error) {
  process.stderr.write(String(error?.stack ?? error)); // node itself would print all of Pyodide's source before it
  process.exitCode = 1;
}
