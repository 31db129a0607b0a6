// Trunk runs this as `wasm-opt` to minimise the release bundle's WebAssembly. It uses binaryen's JavaScript API, because one step is not a pass of the
// command.
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

// Methods that every erased view and route carries in its vtable and that this application never calls; neither the compiler nor binaryen
// can detect that. They are a twelfth of the bundle:
//
// - `hydrate_async` hydrates step by step, for islands and lazy routes; this page hydrates in one step (`frontend/src/main.rs`).
// - `generate_routes` lists the routes for the server.
// - `elements` collects the elements that receive the attributes given to a component (`<Component attr:name=value>`); no component of
//   `app` is given any.
//
// A call would trap, and the journeys in end2end, which run on this bundle, would fail.
//
// The compiler merges functions with identical code under the name of one of them. So only the functions themselves and their futures are
// emptied, but no items within them, and no `elements` whose code is so short that it may be merged with a function that is called. For the
// same reason `hydrate_from_template` is kept.
const unused = [
  { name: "hydrate_async", shortest: 0 },
  { name: "generate_routes", shortest: 0 },
  { name: "elements", shortest: 400 },
].map(({ name, shortest }) => ({ pattern: new RegExp(`::${name}(::\\{\\{closure\\}\\})?::h[0-9a-f]{16}$`), shortest }));
const emptied = unused.map(() => 0);
for (let index = 0; index < module.getNumFunctions(); index += 1) {
  const reference = module.getFunctionByIndex(index);
  const { name, base, body } = binaryen.getFunctionInfo(reference);
  const kind = unused.findIndex(({ pattern }) => pattern.test(name));
  // An import has no body. The length is that of the body's text.
  if (kind >= 0 && base === "" && binaryen.emitText(body).length >= unused[kind].shortest) {
    binaryen.Function(reference).setBody(module.unreachable());
    emptied[kind] += 1;
  }
}
for (const { pattern } of unused.filter((_, index) => emptied[index] === 0)) {
  console.error(`shrink.mjs: no function's name matches ${pattern} any more: look whether this step is still needed`);
  process.exit(1);
}

binaryen.setOptimizeLevel(2);
binaryen.setShrinkLevel(2);
// Three passes: each one optimises the output of the previous one further.
module.optimize();
module.optimize();
module.optimize();
module.runPasses(["reorder-locals"]);
// Places the instances of one generic function next to each other, so that brotli finds more repetitions.
module.runPasses(["reorder-functions-by-name"]);
writeFileSync(output, module.emitBinary());
