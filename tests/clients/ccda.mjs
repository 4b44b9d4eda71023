// C-CDA documents read by @medplum/ccda, which nobody of us wrote.
//   in: [xml]   out: [{resource type: [resource]}]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.argv[2]}/node_modules/`);
globalThis.WebSocket ??= class {}; // Medplum names it when it is loaded; older Nodes have none
const { convertXmlToCcda, convertCcdaToFhir } = require("@medplum/ccda");

const read = (xml) => {
  const found = {};
  for (const { resource } of convertCcdaToFhir(convertXmlToCcda(xml)).entry) {
    (found[resource.resourceType] ??= []).push(resource);
  }
  return found;
};
process.stdout.write(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
