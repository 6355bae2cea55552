/** Limits that no usual request comes near, and readers with them. */
import type { AjpRequestEvent } from "../../src/protocol/ajp/events.ts";
import { AjpReader } from "../../src/protocol/ajp/reader.ts";
import { FastCgiReader, type FastCgiReaderLimits } from "../../src/protocol/fastcgi/reader.ts";
import type { ParamsLimits } from "../../src/protocol/params.ts";
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

const AJP_LIMITS: ParamsLimits = { maxParams: 1000, maxParamName: 256, maxParamValue: 64 * 1024 };

export function newAjpReader(limits: Partial<ParamsLimits> = {}): () => AjpReader {
  return () => new AjpReader({ ...AJP_LIMITS, ...limits });
}

/** As a gateway whose app takes all that comes: asks for more as soon as nothing is under way, answers at the end. */
export function serveAjp(reader: AjpReader, event: AjpRequestEvent): void {
  const wants = event.type === "body" || (event.type === "forwardRequest" && event.request.contentLength === null);
  if (wants && reader.bodyLeft > 0 && !reader.awaitsBody) reader.asked(65_535);
  if (event.type === "bodyEnd") reader.answered(true);
}
