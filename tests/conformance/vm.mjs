// Runs MicroPython's WebAssembly VM: node vm.mjs PACKAGE_FOLDER FILE...; each FILE (t.py or t.mpy) is
// imported as module t in a VM of its own. Prints one JSON line a file: [file, output].
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, ...files] = process.argv.slice(2);
const { loadMicroPython } = await import(pathToFileURL(join(folder, "micropython.mjs")));
for (const file of files) {
    let output = "";
    const vm = await loadMicroPython({ stdout: (line) => (output += line + "\n"), linebuffer: true,
        heapsize: 4 << 20 });
    const name = file.endsWith(".mpy") ? "/t.mpy" : "/t.py";
    vm.FS.writeFile(name, readFileSync(file));
    try {
        vm.runPython("import sys\nsys.path.append('/')\nimport t");
    } catch (e) {
        output += "raised " + String(e.message ?? e).trim().split("\n").pop() + "\n";
    }
    console.log(JSON.stringify([file, output]));
}
