/**
 * The worker in which Python runs: it loads Pyodide and our wheel, then carries out requests (`shared/workers.mjs`), one at
 * a time.
 *
 * Until it is ready it says how far it is, `{event: "loading", step, fraction}`, or why it never will be, `{event:
 * "failed", message}`. Where everything lies is in the manifest that the build wrote.
 */

const ROOT = new URL("../", import.meta.url);
const STARTING = 0.85; // of the whole bar: all files are there, Python starts
const INSTALLING = 0.95;
const EVERY = 50; // milliseconds between two reports of a download
const STALLED = 30_000; // milliseconds without a byte after which a download has failed

const ready = load();
ready.catch((error) => {
  self.postMessage({ event: "failed", message: oneLine(error) });
});

self.onmessage = async ({ data: { id, method, params } }) => {
  try {
    const respond = await ready;
    self.postMessage({ id, ...respond(method, params ?? {}, (progress) => self.postMessage({ id, progress })) });
  } catch (error) {
    self.postMessage({ id, error: { message: `Python: ${oneLine(error)}` } });
  }
};

/** Load everything; what carries out a request. */
async function load() {
  report("download", 0);
  const manifest = await (await fetched("data/manifest.json")).json();
  const base = new URL(manifest.pyodide.url, ROOT);
  const download = new Download(manifest.pyodide.bytes);
  const [pyodide, wheel] = await Promise.all([
    download.during(() => start(base)),
    fetched(manifest.wheel).then((response) => response.arrayBuffer()),
  ]);
  report("package", INSTALLING);
  pyodide.unpackArchive(wheel, "wheel");
  // What runs generated code for Python, too.
  pyodide.registerJsModule("pvm_host", await import(new URL("shared/host.mjs", ROOT).href));
  const glue = pyodide.pyimport("pvm_web.worker");
  const respond = glue.respond.copy(); // what a proxy gives is destroyed with it
  glue.destroy();
  report("ready", 1);
  return respond;
}

async function start(base) {
  const { loadPyodide } = await import(new URL("pyodide.mjs", base).href);
  return loadPyodide({ indexURL: base.href, stdout: () => {}, stderr: () => {} });
}

async function fetched(name) {
  const response = await fetch(new URL(name, ROOT));
  if (!response.ok) throw new Error(`${name}: ${response.status} ${response.statusText}`);
  return response;
}

/**
 * Counts what is fetched while Pyodide loads its files, which it offers no way to watch. A download that breaks or stalls
 * fails the whole: of some of its files Pyodide would wait for ever.
 */
class Download {
  #expected;
  #received = 0;
  #reported = 0;
  #fail = () => {};

  /** @param {number} expected bytes */
  constructor(expected) {
    this.#expected = expected;
  }

  async during(task) {
    const plain = self.fetch;
    const failure = new Promise((_, reject) => {
      this.#fail = (error) => reject(new Error(`the download of Python broke off: ${oneLine(error)}`));
    });
    self.fetch = async (...request) => this.#counted(await plain.apply(self, request));
    try {
      return await Promise.race([task(), failure]);
    } finally {
      self.fetch = plain;
    }
  }

  #counted(response) {
    if (!response.ok || response.body === null) return response;
    const reader = response.body.getReader();
    const body = new ReadableStream({
      pull: async (controller) => {
        try {
          const { done, value } = await inTime(reader.read());
          if (done) return controller.close();
          this.#add(value.byteLength);
          controller.enqueue(value);
        } catch (error) {
          controller.error(error);
          this.#fail(error);
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
    const { status, statusText, headers } = response;
    return new Response(body, { status, statusText, headers });
  }

  #add(bytes) {
    this.#received += bytes;
    const fraction = Math.min(1, this.#received / this.#expected);
    const now = performance.now();
    if (now - this.#reported < EVERY && fraction < 1) return;
    this.#reported = now;
    report(fraction < 1 ? "download" : "python", STARTING * fraction);
  }
}

/** What `work` gives, unless it takes too long. */
function inTime(work) {
  let timer = 0;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${STALLED / 1000} seconds`)), STALLED);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function report(step, fraction) {
  self.postMessage({ event: "loading", step, fraction });
}

/** A message without its lines on where that was; Python has them first. */
function oneLine(error) {
  const lines = String(error?.message ?? error).trim().split("\n");
  return error?.name === "PythonError" ? lines[lines.length - 1] : lines[0];
}
