// node verify.mjs BUNDLE KEY.pub SUBJECT: print the predicateType, or why it is refused (exit 1).
// Every decision about the signature is sigstore-js's; the subject is compared as in-toto says.
import { createPublicKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { bundleFromJSON } from "@sigstore/bundle";
import { toSignedEntity, toTrustMaterial, Verifier } from "@sigstore/verify";

const [file, key, subject] = process.argv.slice(2);
const roots = {
  mediaType: "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  certificateAuthorities: [], ctlogs: [], timestampAuthorities: [], tlogs: [],
};
const found = { publicKey: createPublicKey(readFileSync(key)), validFor: () => true };
const thresholds = { tlogThreshold: 0, ctlogThreshold: 0, timestampThreshold: 0 };
try {
  const bundle = bundleFromJSON(JSON.parse(readFileSync(file, "utf-8")));
  new Verifier(toTrustMaterial(roots, () => found), thresholds).verify(toSignedEntity(bundle));
  const statement = JSON.parse(bundle.content.dsseEnvelope.payload.toString("utf-8"));
  const digests = statement.subject.map(({ digest }) => `sha256:${digest.sha256}`);
  if (!digests.includes(subject)) throw new Error(`it is about ${digests}`);
  console.log(statement.predicateType);
} catch (error) {
  console.error(`refused: ${error.message}`);
  process.exit(1);
}
