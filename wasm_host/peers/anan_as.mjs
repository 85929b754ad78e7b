// Runs PVM programs on anan-as and times them. Started by anan_as.py: node anan_as.mjs FOLDER BUILD...
//
// In: requests, one JSON object a line: {build, program, args, gas, pages, pc, plain, log}; bytes are hexadecimal. `plain`
// is the format, `log` a host call (call, r7, gas) that is answered and forgotten; both and pc may be left out.
// Out: one JSON object a line: {ns, whole, status, argument, pc, gas, registers}. `ns` is the run alone, `whole` also has
// the making of the machine.

import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const [folder, ...names] = process.argv.slice(2);
// The engine reports on the console, which must not mix with the answers.
console.log = console.info = console.warn = () => {};

const [HOST_CALL, OUT_OF_GAS] = [3, 4]; // of its statuses
const builds = {};
for (const name of names) {
  builds[name] = await import(pathToFileURL(join(folder, `${name}.js`)).href);
}

const octets = (hex) => Array.from(Buffer.from(hex, "hex"));

function run({ build, program, args, gas, pages, pc: start = 0, plain = false, log = null }) {
  const engine = builds[build];
  const { InputKind, HasMetadata } = engine;
  const begin = process.hrtime.bigint();
  const prepared = engine.prepareProgram(
    plain ? InputKind.Generic : InputKind.SPI, HasMetadata.No, octets(program), plain ? Array(13).fill(0n) : [], [], [],
    octets(args), pages,
  );
  const machine = engine.pvmStart(prepared, false);
  const budget = BigInt(gas);
  const from = process.hrtime.bigint();
  let pause = engine.pvmResume(machine, budget, start, false);
  while (log !== null && pause.status === HOST_CALL && pause.exitCode === log.call) {
    if (pause.gas < BigInt(log.gas)) {
      pause = { status: OUT_OF_GAS, pc: pause.pc, registers: pause.registers, gas: 0n };
      break;
    }
    engine.pvmSetRegisters(machine, pause.registers.with(7, BigInt(log.r7)));
    pause = engine.pvmResume(machine, pause.gas - BigInt(log.gas), pause.nextPc, false);
  }
  const end = process.hrtime.bigint();
  const ns = Number(end - from);
  const whole = Number(end - begin);
  engine.pvmDestroy(machine);
  engine.__collect?.(); // one build leaves collecting to its host
  const { status, exitCode = 0, pc, registers } = pause;
  return {
    ns, whole, status, argument: exitCode, pc, gas: String(BigInt.asUintN(64, pause.gas)), registers: registers.map(String),
  };
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(run(JSON.parse(line)))}\n`);
}
