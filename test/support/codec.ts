/** Limits that no usual request comes near, and readers with them. */
import { FastCgiReader, type FastCgiReaderLimits } from "../../src/protocol/fastcgi/reader.ts";
import { ScgiReader, type ScgiReaderLimits } from "../../src/protocol/scgi/reader.ts";

export const FASTCGI_LIMITS: FastCgiReaderLimits = {
  maxParamsBytes: 256 * 1024,
  maxParams: 1000,
  maxParamName: 256,
  maxParamValue: 64 * 1024,
  maxIdsPerConnection: 100,
  maxHeadersTotalConnection: 1024 * 1024,
};

const SCGI_LIMITS: ScgiReaderLimits = {
  maxHeaderNetstring: 256 * 1024,
  maxParams: 1000,
  maxParamName: 256,
  maxParamValue: 64 * 1024,
};

export function newFastCgiReader(limits: Partial<FastCgiReaderLimits> = {}): () => FastCgiReader {
  return () => new FastCgiReader({ ...FASTCGI_LIMITS, ...limits });
}

export function newScgiReader(limits: Partial<ScgiReaderLimits> = {}): () => ScgiReader {
  return () => new ScgiReader({ ...SCGI_LIMITS, ...limits });
}
