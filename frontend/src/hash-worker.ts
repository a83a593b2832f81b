// SHA-256 of a file, read in slices off the page's thread; WebCrypto could neither read in slices nor work without TLS.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const SLICE = 4 * 2 ** 20;

onmessage = async (event: MessageEvent<File>) => {
  const file = event.data;
  const hash = sha256.create();
  for (let at = 0; at < file.size; at += SLICE) {
    hash.update(new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer()));
    postMessage({ share: Math.min(1, (at + SLICE) / file.size) });
  }
  postMessage({ sha256: bytesToHex(hash.digest()) });
};
