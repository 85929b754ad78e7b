// Runs PVM programs on anan-as and times them. Started by anan_as.py: node anan_as.mjs FOLDER BUILD...
//
// In: requests, one JSON object a line: {build, program, args, gas, pages}; bytes are hexadecimal.
// Out: one JSON object a line: {ns, status, pc, gas, registers}. `ns` is the run alone: the machine is made before.

import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, ...names] = process.argv.slice(2);
// The engine reports on the console, which must not mix with the answers.
console.log = console.info = console.warn = () => {};

const builds = {};
for (const name of names) {
  builds[name] = await import(pathToFileURL(join(folder, `${name}.js`)).href);
}

const octets = (hex) => Array.from(Buffer.from(hex, "hex"));

function run({ build, program, args, gas, pages }) {
  const engine = builds[build];
  const { InputKind, HasMetadata } = engine;
  const prepared = engine.prepareProgram(
    InputKind.SPI, HasMetadata.No, octets(program), [], [], [], octets(args), pages,
  );
  const machine = engine.pvmStart(prepared, false);
  const budget = BigInt(gas);
  const from = process.hrtime.bigint();
  const pause = engine.pvmResume(machine, budget, 0, false);
  const ns = Number(process.hrtime.bigint() - from);
  engine.pvmDestroy(machine);
  engine.__collect?.(); // one build leaves collecting to its host
  const { status, pc, registers } = pause;
  return { ns, status, pc, gas: String(pause.gas), registers: registers.map(String) };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(run(JSON.parse(line)))}\n`);
}
