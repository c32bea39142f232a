import { writeFileSync } from "node:fs";
import { join } from "node:path";

const { eventDocuments } = await import("./event-documents.js");
for (const [name, text] of Object.entries(eventDocuments())) writeFileSync(join(import.meta.dirname, name), text);
