// A SMART Health Link opened by kill-the-clipboard, which nobody of us wrote.
//   in: {uri, recipient, passcode, embeddedLengthMax}   out: {resources, label, isLongTerm} or {error}
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const { SHLViewer } = await import(pathToFileURL(`${folder}/node_modules/kill-the-clipboard/dist/index.esm.js`).href);
const { uri, ...asked } = JSON.parse(readFileSync(0, "utf8"));
try {
  const viewer = new SHLViewer({ shlinkURI: uri });
  const { fhirResources } = await viewer.resolveSHL(asked);
  const { label, isLongTerm, requiresPasscode, isDirectFile } = viewer.shl;
  process.stdout.write(JSON.stringify({ resources: fhirResources, label, isLongTerm, requiresPasscode, isDirectFile }));
} catch (error) {
  process.stdout.write(JSON.stringify({ error: error.name, code: error.code }));
}
