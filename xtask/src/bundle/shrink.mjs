// What Trunk calls as `wasm-opt`: makes the release bundle's WebAssembly as small as it gets. binaryen does it, by its JavaScript API,
// because one step of it is not among the passes of the command.
//
//     node shrink.mjs BINARYEN [FLAG …] INPUT --output=OUTPUT      BINARYEN: the package's index.js
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [library, ...options] = process.argv.slice(2);
const output = options.find((option) => option.startsWith("--output="))?.slice("--output=".length);
const input = options.find((option) => !option.startsWith("-"));
if (!library || !output || !input) {
  console.error(`shrink.mjs: expected BINARYEN [FLAG …] INPUT --output=OUTPUT, got: ${options.join(" ")}`);
  process.exit(2);
}
const { default: binaryen } = await import(pathToFileURL(library).href);
const module = binaryen.readBinary(readFileSync(input));

// What nobody calls, but every erased view and route carries in its table of functions, where neither the compiler nor binaryen sees
// that: the other way to hydrate, step by step, for islands and lazy routes (we hydrate at once, `frontend/src/main.rs`), and the list
// of routes that the server asks for. A twelfth of the bundle. A call would trap, and the journeys in end2end, which run on this very
// bundle, would see it.
//
// The functions themselves and their futures, and no items within them: the compiler merges functions of the same code under the name of
// one, and what stands within them may be what others call. So too with `hydrate_from_template`, which is left alone.
const unused = ["hydrate_async", "generate_routes"].map(
  (name) => new RegExp(`::${name}(::\\{\\{closure\\}\\})?::h[0-9a-f]{16}$`),
);
const emptied = unused.map(() => 0);
for (let index = 0; index < module.getNumFunctions(); index += 1) {
  const reference = module.getFunctionByIndex(index);
  const { name, base } = binaryen.getFunctionInfo(reference);
  const kind = unused.findIndex((pattern) => pattern.test(name));
  // An import has no body.
  if (kind >= 0 && base === "") {
    binaryen.Function(reference).setBody(module.unreachable());
    emptied[kind] += 1;
  }
}
for (const kind of unused.filter((_, index) => emptied[index] === 0)) {
  console.error(`shrink.mjs: no function's name matches ${kind} any more: look whether this step is still needed`);
  process.exit(1);
}

binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(2);
// Twice: the second time it finds what the first has left over.
module.optimize();
module.optimize();
// Functions of one generic beside one another: brotli finds more to refer to.
module.runPasses(["reorder-functions-by-name"]);
writeFileSync(output, module.emitBinary());
